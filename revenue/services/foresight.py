"""What recognition would post because of a version that is not written yet: done for real, and taken back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from o2c import locks
from o2c.ledger.models import AccountingPeriod
from revenue.models import RevenueContract
from revenue.services import contracts, recognition
from revenue.services.drafting import DraftContract
from revenue.services.recognition_chunk import recognise

NET = """
SELECT a.code, a.name, sum(l.debit) - sum(l.credit)
FROM ledger_journal j JOIN ledger_journalline l ON l.journal_id = j.id
JOIN ledger_account a ON a.id = l.account_id
WHERE j.id > %s AND j.period_id = %s AND j.txid = pg_current_xact_id()::text::bigint GROUP BY 1, 2
"""
LAST = "SELECT coalesce(max(id), 0) FROM ledger_journal"
ZERO = Decimal(0)


def journals(contract: RevenueContract, made: DraftContract) -> dict[str, Any]:
    """Lines that the first open period would get more because of `made`, in the contract's currency.

    Recognition runs twice over this contract, without and with the version; both are taken back. Empty
    without an open period. Raises what recognition raises: no next period, no exchange rate.
    """
    period = (
        AccountingPeriod.objects.filter(entity=contract.entity_id)
        .exclude(state=AccountingPeriod.State.CLOSED)
        .order_by("starts_on")
        .first()
    )
    if period is None:
        return {}
    before = _net(contract, period, None)
    after = _net(contract, period, made)
    lines = []
    for account in sorted(before.keys() | after.keys()):
        more = after.get(account, ZERO) - before.get(account, ZERO)
        if more:
            code, name = account
            debit, credit = max(more, ZERO), max(-more, ZERO)
            lines.append({"account": code, "name": name, "debit": str(debit), "credit": str(credit)})
    return {"period": period.name, "currency": contract.currency, "lines": lines}


def _net(
    contract: RevenueContract, period: AccountingPeriod, made: DraftContract | None
) -> dict[tuple[str, str], Decimal]:
    """Debit less credit by account that recognising the contract would post in `period`."""
    with transaction.atomic():
        last = _query(LAST, [])[0][0]
        if made is not None:
            contracts.write_judged(made)
        context = recognition.begin(contract.entity_id, period.name)
        recognise(locks.rows(RevenueContract, [contract.pk]), context)
        found = {(code, name): net for code, name, net in _query(NET, [last, period.pk])}
        transaction.set_rollback(True)
    return found


def _query(sql: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()
