"""Doing the act: taken back, to see its effects; and, once approved, for good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils.module_loading import import_string

from o2c.actor import Actor, acting
from o2c.controls.approvals.domain.canonical import differences, digest
from o2c.controls.approvals.models import Policy
from o2c.controls.approvals.registry import Act
from o2c.controls.approvals.selectors.facts import Facts, facts_now, facts_of, subject_model
from o2c.controls.approvals.services.gate import carrying

JOURNALS = """
SELECT a.code, a.name, e.code, j.currency, sum(l.debit)::text, sum(l.credit)::text
FROM ledger_journal j JOIN ledger_journalline l ON l.journal_id = j.id
JOIN ledger_account a ON a.id = l.account_id JOIN ledger_legalentity e ON e.id = j.entity_id
WHERE j.id > %s AND j.txid = pg_current_xact_id()::text::bigint
GROUP BY a.code, a.name, e.code, j.currency ORDER BY 3, 4, 1
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the act did: the row it controls, that row's facts, journals and changed values."""

    result_id: int
    facts: Facts
    effects: dict[str, Any]


class _TakeBack(Exception):
    """Ends the rehearsal's savepoint."""


def rehearse(act: Act, pk: int, parameters: Mapping[str, Any], *, actor: Actor) -> Seen:
    """Do the act and take it back. Raises what the service raises: then it cannot be asked for either."""
    seen: Seen | None = None
    try:
        with acting(actor, reason="Rehearsal for approval"):
            seen = perform(act, pk, parameters, performer=actor, reason="Rehearsal for approval")
            raise _TakeBack
    except _TakeBack:
        assert seen is not None
        return seen


def perform(act: Act, pk: int, parameters: Mapping[str, Any], *, performer: Actor, reason: str) -> Seen:
    """Call the act's service as `performer`, inside the caller's transaction, and look at what it did."""
    before = facts_of(act, [pk]).get(pk) if act.changes or not act.proposes else None
    last = _last_journal()
    with carrying(act.code):
        service = import_string(act.service)
        typed = {name: act.parameters.get(name, str)(value) for name, value in parameters.items()}
        result = service(pk, actor=performer, reason=reason, **typed)
    result_id = pk
    if subject_model(act)._meta.db_table != act.table:
        result_id = int(result.pk)
    facts = facts_now(act, result_id) if act.proposes else before
    assert facts is not None
    effects: dict[str, Any] = {"journals": _journals(last)}
    if act.changes and before is not None:
        effects["changes"] = differences(before.values, facts.values)
    return Seen(result_id, facts, effects)


def binding(act: Act, pk: int, parameters: Mapping[str, Any], policy: Policy, seen: Seen) -> str:
    """The digest that decisions are about: act, subject, parameters, policy version, facts and effects."""
    return digest(
        {
            "act": act.code,
            "subject": pk,
            "parameters": parameters,
            "policy": f"{policy.act} v{policy.version}",
            "facts": seen.facts.values,
            "effects": seen.effects,
        }
    )


def _last_journal() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM ledger_journal")
        return int(cursor.fetchone()[0])


def _journals(after: int) -> list[dict[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(JOURNALS, [after])
        names = ("account", "name", "entity", "currency", "debit", "credit")
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
