"""Exchange differences of open items: everything monetary in a foreign currency stands at the closing rate.

Receivables, cash and unapplied cash keep the worth at which their documents were posted, so that settling
one realises its own difference. At month end the account as a whole is brought to the closing rate, in the
functional currency only, and that is taken back on the first day of the next month (row 31, "reverse"). A
target less what is there: a second run of the month posts nothing, one after further postings the difference.

Unbilled receivables and contract assets: contract by contract, in `revenue.services.adjusting`.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from django.db.models import F, Sum

from o2c import ledger
from o2c.ledger.models import JournalLine
from o2c.money import quantize
from revenue.postings import BALANCES, UNREALISED_FX
from revenue.services.recognition_chunk import Context, rates_on

ZERO = Decimal(0)
RULES = ("revenue.fx_open_items", "revenue.fx_reversed")


def remeasure(context: Context) -> int:
    """Post the differences of the run's entity and month, with their reversals; how many journals.

    Raises InvalidInput when a closing rate is missing.
    """
    found = _foreign(context)
    rates = rates_on({currency for _, currency, _, _ in found}, context)
    entries: list[ledger.Entry] = []
    for account, currency, amount, functional in found:
        # rounding: translation of an account's balance at the closing rate
        change = quantize(amount * rates[currency], context.functional_currency) - functional
        if change:
            entries.append(
                _entry(context, "revenue.fx_open_items", account, currency, change, context.last_day)
            )
            entries.append(
                _entry(context, "revenue.fx_reversed", account, currency, -change, context.period.ends_on)
            )
    return ledger.post(entries)


def _foreign(context: Context) -> list[tuple[str, str, Decimal, Decimal]]:
    """(account, currency, balance, functional balance), debit positive, to the end of the month."""
    rows = (
        JournalLine.objects.filter(
            account__monetary=True,
            journal__entity_id=context.run.entity_id,
            journal__posting_date__lt=context.period.ends_on,
        )
        .exclude(account__code__in=BALANCES)
        .exclude(journal__currency=context.functional_currency)
        .values("account__code", "journal__currency")
        .annotate(
            amount=Sum(F("debit") - F("credit")),
            functional=Sum(F("functional_debit") - F("functional_credit")),
        )
        .order_by("account__code", "journal__currency")
    )
    return list(rows.values_list("account__code", "journal__currency", "amount", "functional"))


def _entry(
    context: Context, rule: str, account: str, currency: str, change: Decimal, day: dt.date
) -> ledger.Entry:
    """Debit the account (a loss: credit it) by `change`, in the functional currency alone."""
    key = f"revenue.recognitionrun:{context.run.pk}"
    return ledger.Entry(
        entity_id=context.run.entity_id,
        currency=currency,
        posting_date=day,
        effective_date=context.last_day,
        event_key=f"{key}:{account}-{currency}",
        rule=rule,
        source=key,
        memo=f"{account} in {currency} at the closing rate of {context.last_day}",
        lines=[
            ledger.Line(account, debit=ZERO, credit=ZERO, functional=change),
            ledger.Line(UNREALISED_FX, debit=ZERO, credit=ZERO, functional=-change),
        ],
    )
