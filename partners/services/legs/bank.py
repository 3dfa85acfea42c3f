"""Leg L9: what the channel says it paid against what our bank received, and from which account."""

from datetime import timedelta
from decimal import Decimal

from o2c.vault import masked, opened
from partners.domain.balance import failed_disbursements
from partners.domain.legs import Item, Leg, compare
from partners.models import BankCredit
from partners.selectors.events import CurrentEvent
from partners.services.breaks import Found
from partners.services.legs.context import Checked, Context, found

PLACEHOLDERS = frozenset({"", "EMEA_MP_TEST_TRACE_ID", "testTraceId"})
"""Trace ids that stand for none (reference: marketplaces, 1.8)."""
FEED_FOLLOWS = timedelta(days=3)
"""The feed shows a payment at most this long after our bank has it."""


def bank(context: Context) -> Checked:
    """L9: payments by their trace. Judged once the channel's own account is known."""
    known = opened(context.channel.bank_account)
    if not known:
        return Checked(Leg("L9", ()), context.currency)
    dead = failed_disbursements(event.structural for event in context.events)
    payments = {
        event.bank_trace_id: event
        for event in context.events
        if event.transaction_type == "DISBURSEMENT"
        and event.event_id not in dead
        and event.bank_trace_id not in PLACEHOLDERS
    }
    credits = {
        row.bank_trace_id: row
        for row in BankCredit.objects.filter(channel=context.channel, value_date__lte=context.today)
    }
    due = [key for key in {*payments, *credits} if _due(context, payments.get(key), credits.get(key))]
    leg = compare(
        "L9",
        {key: event.amount for key, event in payments.items()},
        {key: row.amount for key, row in credits.items()},
        only=due,
    )
    rows = [_differs(context, item, payments, credits) for item in leg.differing]
    rows += [_other(context, row, known) for row in credits.values() if opened(row.payer_account) != known]
    return Checked(leg, context.currency, rows)


def _due(context: Context, payment: CurrentEvent | None, credit: BankCredit | None) -> bool:
    if payment is None:
        assert credit is not None
        return credit.value_date + FEED_FOLLOWS < context.today
    wait = timedelta(days=context.sheet.tolerances.bank_days)
    return credit is not None or payment.acted_on + wait < context.today


def _differs(
    context: Context, item: Item, payments: dict[str, CurrentEvent], credits: dict[str, BankCredit]
) -> Found:
    payment = payments.get(item.key)
    day = payment.acted_on if payment else credits[item.key].value_date
    return found(
        context, "BANK_MISSING" if payment else "BANK_UNIDENTIFIED", "L9", item, key=item.key,
        period=f"{day:%Y-%m}", evidence={"trace": item.key},
    )  # fmt: skip


def _other(context: Context, row: BankCredit, known: str) -> Found:
    """The whole amount is in question: it may be somebody else's money, or a payment that was diverted."""
    return found(
        context, "BANK_OTHER", "L9", Item(row.bank_trace_id, row.amount, Decimal(0)), key=row.bank_trace_id,
        period=f"{row.value_date:%Y-%m}",
        evidence={
            "trace": row.bank_trace_id, "paid from": masked(row.payer_account), "known": masked(known),
        },
    )  # fmt: skip
