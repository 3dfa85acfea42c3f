"""Legs L7 to L11: billed against paid, payments against their lines, and the receivable against the books."""

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

from django.db.models import Sum

from o2c.ledger.models import JournalLine
from partners.domain.balance import counts_in_balance, failed_disbursements, is_payment, proofs
from partners.domain.legs import Item, Leg, compare
from partners.domain.payments import lateness, status
from partners.models import Break, SettlementPosting
from partners.postings import RECEIVABLE
from partners.selectors.events import CurrentEvent, own_invoices
from partners.selectors.refunds import REFUND
from partners.services.breaks import WRITE_OFF, Found
from partners.services.legs.context import Checked, Context, found

ZERO = Decimal(0)
BILLED = ("INVOICED", "FORGIVEN")
Invoice = tuple[int, str]
"""Agreement and the buyer's invoice at AWS."""


def settlement(context: Context) -> Checked:
    """L7: what AWS owes us per buyer invoice against what its live payments settled."""
    dead = failed_disbursements(event.structural for event in context.events)
    left: dict[Invoice, Decimal] = defaultdict(Decimal)
    right: dict[Invoice, Decimal] = defaultdict(Decimal)
    due: dict[Invoice, date] = {}
    failed: set[Invoice] = set()
    for event in context.events:
        if event.agreement_id is None or is_payment(event.transaction_type):
            continue
        key = (event.agreement_id, event.buyer_invoice_id)
        if event.action in BILLED and counts_in_balance(event.transaction_type, event.balance_impacting):
            left[key] += event.amount
            if event.due_at is not None:
                due[key] = event.due_at.date()
        elif event.action == "DISBURSED":
            if event.disbursement_id in dead:
                failed.add(key)
            else:
                right[key] -= event.amount
    leg = compare("L7", left, right, tolerance=context.sheet.tolerances.line)
    rows = [_settled(context, item, due.get(item.key), item.key in failed) for item in leg.items]
    return Checked(leg, context.currency, [row for row in rows if row is not None])


def _settled(context: Context, item: Item, due_on: date | None, failed: bool) -> Found | None:
    """The break of one buyer invoice, if it is one already: before the due date silence is normal."""
    outcome = status(item.left, item.right, failed=failed, tolerance=context.sheet.tolerances.line)
    kind = outcome.break_type
    overdue = due_on is not None and context.today > due_on + timedelta(
        days=context.sheet.tolerances.bank_days
    )
    if not kind and outcome.difference and overdue:
        kind = "SHORT_PAY"
    if not kind or (kind == "SHORT_PAY" and not overdue):
        return None
    agreement_id, invoice_id = item.key
    evidence = {"invoice": invoice_id, "status": outcome.label}
    if due_on is not None:
        evidence |= {"due_on": due_on.isoformat(), "lateness": lateness(due_on, context.today)}
    return found(
        context,
        kind,
        "L7",
        item,
        key=f"{agreement_id}:{invoice_id}",
        period=f"{due_on or context.today:%Y-%m}",
        agreement_id=agreement_id,
        evidence=evidence,
        clears_itself=kind == "ROUND",
    )


def proof(context: Context) -> Checked:
    """L8: each payment against the lines that name it."""
    checked = [row for row in proofs([event.structural for event in context.events]) if not row.failed]
    leg = compare(
        "L8",
        {row.disbursement_id: row.amount for row in checked},
        {row.disbursement_id: -row.lines for row in checked},
        tolerance=context.sheet.tolerances.line,
    )
    dates = {event.event_id: event.acted_on for event in context.events}
    return Checked(
        leg,
        context.currency,
        [
            found(context, "PROOF", "L8", item, key=str(item.key), period=f"{dates[str(item.key)]:%Y-%m}")
            for item in leg.differing
        ],
    )


def notices(context: Context) -> Checked:
    """L9N: rows that need a person whatever their amount: adjustments, unknown buyers."""
    items: list[Item] = []
    rows: list[Found] = []
    for event in context.events:
        kind = _notice(event)
        if kind:
            item = Item(event.event_id, ZERO, event.amount)
            items.append(item)
            rows.append(
                found(
                    context,
                    kind,
                    "L9N",
                    item,
                    key=event.event_id,
                    period=event.month,
                    agreement_id=event.agreement_id,
                    value=-event.amount,
                    evidence={"transaction_type": event.transaction_type, "invoice": event.buyer_invoice_id},
                )
            )
    return Checked(Leg("L9N", tuple(items)), context.currency, rows)


def _notice(event: CurrentEvent) -> str:
    if event.action not in BILLED or not event.amount:
        return ""
    if event.transaction_type.startswith("BALANCE_ADJUSTMENT"):
        return "BALANCE_ADJ"
    if event.transaction_type == REFUND:
        return ""  # those have a leg of their own
    ours = counts_in_balance(event.transaction_type, event.balance_impacting)
    return "IDENTITY" if ours and event.agreement_id is None else ""


def books(context: Context) -> Checked:
    """L11: the marketplace receivable by documents against the ledger, per entity of ours."""
    left: dict[int, Decimal] = defaultdict(Decimal)
    by_order = {row.order_id: row for row in context.agreements.values()}
    for own in own_invoices(list(by_order)):
        left[by_order[own.order_id].entity_id] += own.net
    postings = SettlementPosting.objects.filter(channel=context.channel)
    for entity_id, rule, amount in postings.values_list("entity_id", "rule").annotate(Sum("amount")):
        paid = rule in ("marketplace.payment", "marketplace.payment_failed")
        left[entity_id] += -amount if paid else amount
    written_off = Break.objects.filter(
        channel=context.channel, state=Break.State.RESOLVED, resolution=WRITE_OFF
    ).select_related("agreement")
    for row in written_off:
        left[row.agreement.entity_id if row.agreement else context.channel.entity_id] -= row.value
    right = {
        entity_id: debit - credit
        for entity_id, debit, credit in JournalLine.objects.filter(account__code=RECEIVABLE)
        .values_list("journal__entity_id")
        .annotate(Sum("debit"), Sum("credit"))
    }
    # The documented penny between a payment and its lines is booked as rounding.
    leg = compare("L11", left, right, tolerance=context.sheet.tolerances.line)
    return Checked(
        leg,
        context.currency,
        [
            found(context, "BOOKS", "L11", item, key=f"entity:{item.key}", period=f"{context.today:%Y-%m}")
            for item in leg.differing
        ],
    )
