"""Credit memos: for a posted invoice, or some of its lines, never for more than was billed.

Drafted by one person, posted by another (`invoices.post`). Drafts count against what is left to credit,
so two drafts cannot promise the same money; the database holds the same limit (billing/triggers.py).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from django.db.models import Sum

from billing.domain.invoice_totals import Creditable, Taxed, credit
from billing.models import Charge, Invoice, InvoiceLine
from billing.postings import CREDIT_REASONS
from billing.services import invoices
from o2c import locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.errors import Conflict, InvalidInput
from o2c.money import quantize

ZERO = Decimal(0)
post = invoices.post


def draft(
    invoice_id: int,
    *,
    reason_code: str,
    issue_date: dt.date,
    actor: Actor,
    lines: Mapping[int, Decimal] | None = None,
    reason: str = "",
) -> Invoice:
    """Draft a credit memo. `lines` maps line ids to the net to credit, with the sign of the line.

    Without `lines` everything that is left is credited, to the cent: with the tax of the last part the
    credits of an invoice come to exactly what it billed. Raises InvalidInput for an unknown reason or an
    amount beyond what is left of a line, Conflict when the invoice is not posted or fully credited.
    """
    with acting(actor, reason=reason):
        require(actor, "billing.credit.draft", record=f"invoice {invoice_id}")
        return draft_inside(
            invoice_id,
            reason_code=reason_code,
            issue_date=issue_date,
            actor=actor,
            lines=lines,
            reason=reason,
        )


def draft_inside(
    invoice_id: int,
    *,
    reason_code: str,
    issue_date: dt.date,
    actor: Actor,
    lines: Mapping[int, Decimal] | None,
    reason: str,
) -> Invoice:
    """`draft` inside another act that is authorised already (a dispute that is accepted)."""
    if reason_code not in CREDIT_REASONS:
        raise InvalidInput(
            f"{reason_code!r} is not a reason", remedy=f"Choose one of {', '.join(sorted(CREDIT_REASONS))}"
        )
    invoice = locks.row(Invoice, invoice_id)  # also queues those who credit it at the same time
    if invoice.state != Invoice.State.POSTED or invoice.kind == Invoice.Kind.CREDIT_MEMO:
        raise Conflict("Only a posted invoice can be credited", record=str(invoice))
    if issue_date < invoice.issue_date:
        raise InvalidInput("A credit memo is not older than its invoice", record=str(invoice))
    left = creditable(invoice)
    wanted = lines if lines is not None else {pk: one.remaining_net for pk, one in left.items()}
    unknown = set(wanted) - set(left)
    if unknown:
        raise InvalidInput(f"It has no line {', '.join(map(str, sorted(unknown)))}", record=str(invoice))
    parts = {
        pk: credit(left[pk], net, invoice.currency) for pk, net in wanted.items() if lines is not None or net
    }
    if not parts:
        raise Conflict("Everything of it is credited already", record=str(invoice))
    if sum((part.total for part in parts.values()), ZERO) < 0:
        raise InvalidInput(
            "Taking back only what was corrected down would charge the customer",
            record=str(invoice),
            remedy="Draft an invoice for it",
        )
    return _write(invoice, parts, reason_code, issue_date, actor, reason)


def creditable(invoice: Invoice) -> dict[int, Creditable]:
    """What is left to credit of each line; credits, in drafts too, are counted.

    Of usage that credit paid only the part in money: what grants gave comes back to them when the usage is
    corrected, not in money.
    """
    given = {
        row["credits"]: (-row["net"], -row["tax"])
        for row in InvoiceLine.objects.filter(credits__invoice=invoice)
        .exclude(invoice__state=Invoice.State.VOID)
        .values("credits")
        .annotate(net=Sum("net"), tax=Sum("tax"))
        .order_by()
    }
    lines = list(invoice.lines.all())
    covered = _covered(lines)
    found = {}
    for line in lines:
        net, tax = covered.get(line.pk, (ZERO, ZERO))
        if line.kind not in Charge.COVERS and line.net + net:
            found[line.pk] = Creditable(line.net + net, line.tax + tax, *given.get(line.pk, (ZERO, ZERO)))
    return found


def _covered(lines: Sequence[InvoiceLine]) -> dict[int, tuple[Decimal, Decimal]]:
    """Net and tax that lines of credit and waivers take off their usage line, by that line."""
    usage: dict[object, InvoiceLine] = {}
    for line in lines:
        if line.kind == InvoiceLine.Kind.USAGE and line.proposal:
            key = (line.order_line_id, line.segment_id, line.proposal["period_from"])
            if key not in usage or line.net > usage[key].net:
                usage[key] = line
    found: dict[int, tuple[Decimal, Decimal]] = {}
    for line in lines:
        if line.kind in Charge.COVERS and line.proposal:
            own = usage[line.order_line_id, line.segment_id, line.proposal["period_from"]]
            net, tax = found.get(own.pk, (ZERO, ZERO))
            found[own.pk] = (net + line.net, tax + line.tax)
    return found


def net_of(gross: Decimal, rate: Decimal, currency: str) -> Decimal:
    """The net that comes nearest to `gross` with tax at `rate` (a fraction)."""
    return quantize(Fraction(gross) / (1 + Fraction(rate)), currency)


def _write(
    invoice: Invoice,
    parts: Mapping[int, Taxed],
    reason_code: str,
    issue_date: dt.date,
    actor: Actor,
    reason: str,
) -> Invoice:
    net = -sum((part.net for part in parts.values()), ZERO)
    tax = -sum((part.tax for part in parts.values()), ZERO)
    memo = Invoice.objects.create(
        kind=Invoice.Kind.CREDIT_MEMO,
        entity_id=invoice.entity_id,
        customer_id=invoice.customer_id,
        order_id=invoice.order_id,
        currency=invoice.currency,
        issue_date=issue_date,
        due_date=issue_date,
        po_number=invoice.po_number,
        terms_days=0,
        bill_to=invoice.bill_to,
        seller=invoice.seller,
        tax_treatment=invoice.tax_treatment,
        tax_note=invoice.tax_note,
        net=net,
        tax=tax,
        total=net + tax,
        channel=invoice.channel,
        corrects=invoice,
        reason_code=reason_code,
        reason=reason[:300],
        drafted_by_id=actor.user_id,
    )
    originals = InvoiceLine.objects.in_bulk(list(parts))
    InvoiceLine.objects.bulk_create(
        _credit_line(memo, position, originals[pk], parts[pk])
        for position, pk in enumerate(sorted(parts, key=lambda pk: originals[pk].position), start=1)
    )
    return memo


def _credit_line(memo: Invoice, position: int, line: InvoiceLine, part: Taxed) -> InvoiceLine:
    whole = part.net == line.net
    return InvoiceLine(
        invoice=memo,
        position=position,
        kind=InvoiceLine.Kind.CREDIT,
        order_line_id=line.order_line_id,
        segment_id=line.segment_id,
        service_from=line.service_from,
        service_to=line.service_to,
        sku_code=line.sku_code,
        description=f"Credit: {line.description}"[:300],
        quantity=-line.quantity if whole else -1,
        unit=line.unit if whole else "",
        net=-part.net,
        tax_category=line.tax_category,
        tax_name=line.tax_name,
        tax_rate=line.tax_rate,
        tax=-part.tax,
        treatment=line.treatment,
        deferred=line.deferred,
        trace={
            "formula": f"{part.net} of {line.net} of line {line.position}, tax {part.tax} of {line.tax}",
            "credits_line": line.pk,
        },
        credits=line,
    )
