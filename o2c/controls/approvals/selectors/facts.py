"""What the database says of a controlled row, and which policy is in force."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.apps import apps
from django.db import connection, models

from o2c.controls.approvals.domain import policy as rules
from o2c.controls.approvals.models import Policy
from o2c.controls.approvals.registry import Act
from o2c.errors import Conflict, NotFound


@dataclass(frozen=True, slots=True)
class Facts:
    """`values` as the trigger will see them; `digest` of their text in the database."""

    values: dict[str, Any]
    digest: str


def facts_of(act: Act, pks: Iterable[int]) -> dict[int, Facts]:
    """The facts of these rows, one query. Rows that are not there are left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, f::text, o2c_facts_digest(f) FROM unnest(%s::bigint[]) AS t(id),"
            f" LATERAL (SELECT {act.function}(id) AS f OFFSET 0) AS l WHERE f IS NOT NULL",
            [list(pks)],
        )
        return {pk: Facts(json.loads(text), digest) for pk, text, digest in cursor.fetchall()}


def facts_now(act: Act, pk: int) -> Facts:
    """The facts of one row. Raises NotFound."""
    found = facts_of(act, [pk])
    if pk not in found:
        raise NotFound(f"There is no row {pk} of {act.table}")
    return found[pk]


def policy_in_force(act: Act) -> tuple[Policy, rules.Policy]:
    """The version that applies now. Raises Conflict without one: then nothing can be approved."""
    row = Policy.objects.in_force().filter(act=act.code).first()
    if row is None:
        raise Conflict(
            f"No approval policy is in force for '{act.label}', so nothing of it can be approved",
            remedy="Put a policy in force",
            code="policy_missing",
        )
    return row, rules.parse(row.content)


def money_of(act: Act, facts: Facts) -> tuple[Decimal | None, str]:
    """What is at stake, in functional currency; None where the act has no amount."""
    said = rules.peek(facts.values, act.amount) if act.amount else None
    if said is None:
        return None, ""
    return rules.exact(said), str(rules.peek(facts.values, act.currency) or "")


def subject_model(act: Act) -> type[models.Model]:
    return apps.get_model(act.model)


APART = """
SELECT p.person, min(c.rule) FROM {function}(%s, %s) c LEFT JOIN access_user u ON u.id = c.person
CROSS JOIN LATERAL (VALUES (c.person), (u.owner_id)) AS p(person)
WHERE p.person IS NOT NULL AND cardinality(o2c_sod_me(ARRAY[c.person], c.rule)) > 0 GROUP BY 1
"""


def kept_apart(act: Act, pk: int, duties: Iterable[str]) -> dict[str, dict[int, str]]:
    """By duty: whom a segregation rule keeps from deciding about this subject with it, and which."""
    found: dict[str, dict[int, str]] = {}
    with connection.cursor() as cursor:
        for duty in sorted(set(duties)):
            cursor.execute(APART.format(function=act.apart_function), [pk, duty])
            found[duty] = {person: f"{rule} keeps them from it" for person, rule in cursor.fetchall()}
    return found


def authors_of(act: Act, pk: int) -> frozenset[int]:
    """Everybody who wrote what is to be approved, and who answers for the accounts that did."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {act.authors_function}(%s)", [pk])
        return frozenset(row[0] for row in cursor.fetchall())
