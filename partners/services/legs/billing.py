"""Legs L3 and L4: what AWS billed the buyer against what we metered and billed, the schedule, the fee."""

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

from o2c.money import quantize
from partners.domain.fees import fee as fee_of
from partners.domain.fees import rate_for
from partners.domain.legs import Item, compare, price_tolerance
from partners.models import AgreementDimension, AwsAgreement
from partners.selectors.events import CurrentEvent, own_invoices
from partners.selectors.metered import months, scheduled_charges, shifted_value
from partners.services.breaks import Found
from partners.services.legs.context import Checked, Context, found

ZERO = Decimal(0)
BILLED = ("INVOICED", "FORGIVEN")
Month = tuple[int, str]
"""Agreement and usage month, or agreement and buyer invoice."""
SCHEDULE_DAYS = timedelta(days=3)


def usage_revenue(context: Context) -> dict[tuple[int, str], list[CurrentEvent]]:
    """What AWS billed the buyer for metered usage, by agreement and usage month."""
    billed: dict[tuple[int, str], list[CurrentEvent]] = defaultdict(list)
    for event in context.events:
        if (
            event.action in BILLED
            and event.transaction_type == "SELLER_REV_SHARE"
            and event.usage_from is not None
            and event.agreement_id is not None
        ):
            billed[event.agreement_id, event.month].append(event)
    return billed


def price(context: Context) -> Checked:
    """L3: the quantity AWS should have, at the dimension's rate, against the invoiced revenue share, per
    usage month.
    """
    left: dict[Month, Decimal] = defaultdict(Decimal)
    lines: dict[Month, int] = defaultdict(int)
    for row in months(context.channel.pk, context.as_of):
        # Rounding: AWS rounds each dimension of an invoice to the cent.
        left[row.agreement_id, row.month] += quantize(row.at_aws * row.rate, row.currency)
        lines[row.agreement_id, row.month] += 1
    billed = usage_revenue(context)
    right: dict[Month, Decimal] = {key: sum((e.amount for e in rows), ZERO) for key, rows in billed.items()}
    due = [key for key in {*left, *right} if key in right or context.today > context.billed_by(str(key[1]))]
    sheet = context.sheet.tolerances
    tolerance = {
        key: price_tolerance(
            left.get(key, ZERO), max(lines.get(key, 1), 1), per_line=sheet.line, share=sheet.price_share
        )
        for key in due
    }
    leg = compare("L3", left, right, tolerance=tolerance, only=due)
    return Checked(
        leg, context.currency, [_billed_otherwise(context, item, "L3", "PRICE") for item in leg.differing]
    )


def _billed_otherwise(context: Context, item: Item, leg: str, kind: str) -> Found:
    agreement_id, month = item.key
    if kind == "PRICE" and not item.right:
        kind = "MISSING_BILL"
    elif kind == "PRICE" and not item.left:
        kind = "EXTRA"
    return found(
        context, kind, leg, item, key=f"{leg}:{agreement_id}:{month}", period=month, agreement_id=agreement_id
    )


def own_invoice(context: Context) -> Checked:
    """L3B: what we bill of a service month against what AWS billed of it.

    They may differ by what is carried to the next month, and by late usage, which we bill in the month it
    happened in and AWS in the month that carried it; before we have billed it, it is on neither side.
    """
    by_order = {row.order_id: row for row in context.agreements.values()}
    left: dict[Month, Decimal] = defaultdict(Decimal)
    for invoice in own_invoices(list(by_order)):
        if invoice.kind == "invoice" and invoice.month:
            left[by_order[invoice.order_id].pk, invoice.month] += invoice.net
    billed = usage_revenue(context)
    right: dict[Month, Decimal] = {key: sum((e.amount for e in rows), ZERO) for key, rows in billed.items()}
    shifted = shifted_value(context.channel.pk)
    carried: dict[int, Decimal] = defaultdict(Decimal)
    for dimension in AgreementDimension.objects.filter(agreement__channel=context.channel):
        # Up to one unit comes in from the month before and one goes out, and each side rounds its line.
        carried[dimension.agreement_id] += 2 * (dimension.rate + context.sheet.tolerances.line)
    tolerance = {key: carried[key[0]] + abs(shifted.get(key, ZERO)) for key in right}
    leg = compare("L3B", left, right, tolerance=tolerance, only=list(right))
    return Checked(
        leg,
        context.currency,
        [_billed_otherwise(context, item, "L3B", "OWN_INVOICE") for item in leg.differing],
    )


def schedule(context: Context) -> Checked:
    """L3S: each instalment of a payment schedule against an invoice of its amount within three days."""
    billed: dict[int, list[CurrentEvent]] = defaultdict(list)
    for event in context.events:
        if event.action in BILLED and event.transaction_type == "SELLER_REV_SHARE" and event.agreement_id:
            billed[event.agreement_id].append(event)
    left: dict[str, Decimal] = {}
    right: dict[str, Decimal] = {}
    about: dict[str, tuple[int, str]] = {}
    for charge in scheduled_charges(context.channel.pk):
        if charge.agreement_id is None or charge.due_on + SCHEDULE_DAYS > context.today:
            continue
        match = next(
            (
                event
                for event in billed[charge.agreement_id]
                if event.amount == charge.amount and abs(event.acted_on - charge.due_on) <= SCHEDULE_DAYS
            ),
            None,
        )
        if match is not None:
            billed[charge.agreement_id].remove(match)
        left[charge.key] = charge.amount
        right[charge.key] = match.amount if match else ZERO
        about[charge.key] = (charge.agreement_id, f"{charge.due_on:%Y-%m}")
    leg = compare("L3S", left, right)
    return Checked(
        leg,
        context.currency,
        [
            found(
                context,
                "MISSING_BILL",
                "L3S",
                item,
                key=str(item.key),
                period=about[item.key][1],
                agreement_id=about[item.key][0],
            )
            for item in leg.differing
        ],
    )


def expected_fee(context: Context, agreement: AwsAgreement, event: CurrentEvent) -> Decimal:
    """The listing fee of one revenue row by the sheet's table, negative like the feed's."""
    rate = rate_for(
        context.sheet.fees,
        product_type=agreement.product_type,
        programme=agreement.programme,
        tcv=agreement.total_contract_value,
        on=event.acted_on,
        resale=agreement.resale,
        resale_supplement=context.sheet.resale_supplement,
    )
    return -fee_of(event.amount, rate, event.currency)


def fee(context: Context) -> Checked:
    """L4: the fee by our table against AWS's fee rows, per buyer invoice. Amounts, never percentages."""
    left: dict[Month, Decimal] = defaultdict(Decimal)
    right: dict[Month, Decimal] = defaultdict(Decimal)
    lines: dict[Month, int] = defaultdict(int)
    periods: dict[Month, str] = {}
    for event in context.events:
        agreement = context.agreements.get(event.agreement_id or 0)
        if event.action not in BILLED or agreement is None:
            continue
        key = (agreement.pk, event.buyer_invoice_id)
        if event.transaction_type in ("SELLER_REV_SHARE", "SELLER_REV_SHARE_REFUND"):
            left[key] += expected_fee(context, agreement, event)
            lines[key] += 1
        elif event.transaction_type in ("AWS_REV_SHARE", "AWS_REV_SHARE_REFUND"):
            right[key] += event.amount
        else:
            continue
        periods.setdefault(key, event.month)
    line = context.sheet.tolerances.line
    leg = compare("L4", left, right, tolerance={key: line * max(lines[key], 1) for key in periods})
    return Checked(
        leg,
        context.currency,
        [
            found(
                context,
                "FEE",
                "L4",
                item,
                key=f"{item.key[0]}:{item.key[1]}",
                period=periods[item.key],
                agreement_id=item.key[0],
            )
            for item in leg.differing
        ],
    )
