"""Manual journals: drafted, asked for, posted through `ledger.post` when approved.

Only for accounts that no sub-ledger keeps: an entry by hand on receivables, cash, tax, contract balances or
revenue
would break the tie-outs of the close, and is a document there instead.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

from o2c import locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.controls.approvals.models import Request
from o2c.errors import Conflict, InvalidInput, NotAuthorised
from o2c.ledger.entries import Entry, Line
from o2c.ledger.models import Account, LegalEntity, ManualJournal, ManualLine
from o2c.ledger.posting import post as write
from o2c.money import quantize

RULE = "manual.posted"
# Allowance, refund liability, expenses, rounding: what a person accrues and no sub-ledger keeps.
BY_HAND = frozenset({"1190", "2120", "6100", "6110", "6200", "7190"})

Side = tuple[str, Decimal, Decimal, str]


def draft(
    *,
    entity_id: int,
    currency: str,
    posting_date: dt.date,
    memo: str,
    support: str,
    lines: Sequence[Side],
    actor: Actor,
    reason: str = "",
) -> ManualJournal:
    """Write a manual journal that books nothing yet. `lines` are (account, debit, credit, reference).

    Raises InvalidInput when it does not balance, has no support, or names an account that a sub-ledger keeps.
    """
    with acting(actor, reason=reason):
        require(actor, "ledger.journal.prepare", record=memo)
        if not memo.strip() or not support.strip():
            raise InvalidInput("A manual journal says what it is for and what supports it")
        _checked(lines, currency)
        entity = LegalEntity.objects.get(pk=entity_id)
        made = ManualJournal.objects.create(
            entity=entity,
            currency=currency,
            posting_date=posting_date,
            memo=memo.strip()[:200],
            support=support.strip()[:300],
            prepared_by_id=actor.on_behalf_of_id or actor.user_id,
        )
        accounts = dict(Account.objects.filter(code__in=[one[0] for one in lines]).values_list("code", "pk"))
        ManualLine.objects.bulk_create(
            ManualLine(
                journal=made, account_id=accounts[code], debit=debit, credit=credit, reference=reference
            )
            for code, debit, credit, reference in lines
        )
        return made


def _checked(lines: Sequence[Side], currency: str) -> None:
    if kept := sorted({code for code, *_ in lines} - BY_HAND):
        raise InvalidInput(
            f"Account {', '.join(kept)} is kept by a sub-ledger or is unknown",
            remedy=f"By hand: {', '.join(sorted(BY_HAND))}. Elsewhere a document is corrected",
        )
    for code, debit, credit, _ in lines:
        Line(code, debit, credit)
        if quantize(debit, currency) != debit or quantize(credit, currency) != credit:
            raise InvalidInput(f"The amount of {code} has more digits than {currency} has")
    debits, credits = sum(one[1] for one in lines), sum(one[2] for one in lines)
    if debits != credits or not debits:
        raise InvalidInput(f"It debits {debits} and credits {credits}", remedy="Both sides must be equal")


def ask(pk: int, *, actor: Actor, reason: str = "") -> Request:
    """Ask for a drafted manual journal to be posted."""
    return approvals.submit("ledger.journal.post", pk, actor=actor, reason=reason)


def post(pk: int, *, actor: Actor, reason: str = "") -> ManualJournal:
    """Book it, in the period of its posting date. Raises ClosedPeriod, and Conflict without its approval."""
    with acting(actor, reason=reason):
        row: ManualJournal = locks.row(ManualJournal, pk)
        require(actor, "ledger.journal.post", record=str(row))
        if row.prepared_by_id in (actor.user_id, actor.on_behalf_of_id):
            raise NotAuthorised("Who prepared a manual journal does not post it (S32)", record=str(row))
        approvals.gate("ledger.journal.post", [pk])
        row.post()
        row.posted_by_id = actor.user_id
        row.save()
        key = f"ledger.manualjournal:{pk}"
        lines = [
            Line(line.account.code, line.debit, line.credit, reference=line.reference or key)
            for line in row.lines.select_related("account").order_by("pk")
        ]
        entry = Entry(
            entity_id=row.entity_id, currency=row.currency, posting_date=row.posting_date,
            effective_date=row.posting_date, event_key=key, rule=RULE, source=key, lines=lines,
            memo=row.memo,
        )  # fmt: skip
        if write([entry]) != 1:
            raise Conflict("It is in the books already", record=str(row))
        return row


def drop(pk: int, *, actor: Actor, reason: str = "") -> ManualJournal:
    """Leave a draft unposted; it stays on record."""
    with acting(actor, reason=reason):
        row: ManualJournal = locks.row(ManualJournal, pk)
        require(actor, "ledger.journal.prepare", record=str(row))
        row.drop()
        row.save()
        return row
