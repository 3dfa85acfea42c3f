"""What a dialog of the console asks for, turned into one call of a service."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from billing.models import Application, BillRun, Grant, Invoice, Receipt, Refund
from billing.services import (
    applications,
    credit_memos,
    documents,
    grants,
    invoices,
    receipts,
    refunds,
    runs,
)
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.errors import InvalidInput, NotFound
from orders.models import Order

INVOICE = "invoice_"
LINE = "line_"


def amounts(fields: Mapping[str, Any], prefix: str) -> dict[int, Decimal]:
    """The amounts that were filled in, by the id in their field's name ('invoice_12': 40.00)."""
    return {
        int(name.removeprefix(prefix)): value
        for name, value in fields.items()
        if name.startswith(prefix) and value
    }


def plan_run(
    *,
    entity_id: int,
    through: dt.date,
    actor: Actor,
    issue_on: dt.date | None = None,
    currency: str = "",
    reason: str = "",
) -> BillRun:
    """Plan a run; `through` is the last day to bill, inclusive, as people say it."""
    return runs.plan(
        entity_id=entity_id,
        through=through + dt.timedelta(days=1),
        issue_on=issue_on or through,
        currency=currency,
        actor=actor,
        reason=reason,
    )


def promote(
    *,
    customer: int,
    amount: Decimal,
    starts_on: dt.date,
    actor: Actor,
    ends_on: dt.date | None = None,
    order: str = "",
    skus: str = "",
    priority: int = 100,
    reason: str = "",
) -> Grant:
    """Give promotional credit, for one order or all of a customer's, for some SKUs or all usage."""
    order_id = Order.objects.filter(number=order).values_list("pk", flat=True).first() if order else None
    if order and order_id is None:
        raise NotFound(f"There is no order {order}")
    named = [code.strip() for code in skus.split(",") if code.strip()]
    return grants.promote(
        customer_id=customer,
        amount=amount,
        starts_on=starts_on,
        ends_on=ends_on,
        order_id=order_id,
        scope={"skus": named} if named else {},
        priority=priority,
        actor=actor,
        reason=reason,
    )


def promote_customer(
    pk: int,
    *,
    amount: Decimal,
    starts_on: dt.date,
    actor: Actor,
    ends_on: dt.date | None = None,
    order: str = "",
    skus: str = "",
    priority: int = 100,
    reason: str = "",
) -> Grant:
    """The same for the customer with this id, as an approved request does it."""
    return promote(
        customer=pk, amount=amount, starts_on=starts_on, ends_on=ends_on, order=order, skus=skus,
        priority=priority, actor=actor, reason=reason,
    )  # fmt: skip


def apply_receipt(
    pk: int, *, applied_on: dt.date, actor: Actor, reason: str = "", **fields: Any
) -> list[Application]:
    """Apply a receipt to the invoices for which an amount was filled in."""
    parts = sorted(amounts(fields, INVOICE).items())
    if not parts:
        raise InvalidInput("Fill in an amount for at least one invoice", record=f"receipt {pk}")
    return applications.apply(pk, parts, applied_on=applied_on, actor=actor, reason=reason)


def apply_credit_memo(
    pk: int, *, applied_on: dt.date, actor: Actor, reason: str = "", **fields: Any
) -> list[Application]:
    """Use a credit memo against the invoices for which an amount was filled in."""
    parts = sorted(amounts(fields, INVOICE).items())
    if not parts:
        raise InvalidInput("Fill in an amount for at least one invoice", record=f"credit memo {pk}")
    return applications.apply_credit(pk, parts, applied_on=applied_on, actor=actor, reason=reason)


def unapply_receipt(
    pk: int, *, application_id: int, on: dt.date, actor: Actor, reason: str = ""
) -> Application:
    """Undo one application of a receipt."""
    if not Application.objects.filter(pk=application_id, receipt_id=pk).exists():
        raise NotFound(f"Receipt {pk} has no application {application_id}")
    return applications.unapply(application_id, on=on, actor=actor, reason=reason)


def credit_invoice(
    pk: int,
    *,
    reason_code: str,
    issue_date: dt.date,
    everything: bool,
    actor: Actor,
    reason: str = "",
    **fields: Any,
) -> Invoice:
    """Draft a credit memo for everything that is left, or for the lines with an amount."""
    lines = amounts(fields, LINE)
    if everything == bool(lines):
        raise InvalidInput(
            "Credit everything, or fill in amounts of lines",
            record=f"invoice {pk}",
            remedy="One or the other",
        )
    return credit_memos.draft(
        pk,
        reason_code=reason_code,
        issue_date=issue_date,
        lines=None if everything else lines,
        actor=actor,
        reason=reason,
    )


def draft_invoice(
    *,
    customer: int,
    description: str,
    net: Decimal,
    issue_date: dt.date,
    actor: Actor,
    po_number: str = "",
    tax_category: str = "standard",
    reason: str = "",
) -> Invoice:
    """Draft an invoice of one line by hand."""
    return invoices.draft(
        customer_id=customer,
        lines=[invoices.ManualLine(description, net, tax_category=tax_category)],
        issue_date=issue_date,
        po_number=po_number,
        actor=actor,
        reason=reason,
    )


def render(pk: int, *, actor: Actor, reason: str = "") -> Invoice:
    """Make the PDF of a posted document now."""
    documents.render(pk, actor=actor, reason=reason)
    return Invoice.objects.get(pk=pk)


def delete_draft(pk: int, *, actor: Actor, reason: str = "") -> None:
    """Delete a draft outside a run."""
    invoices.discard(pk, actor=actor, reason=reason)


def record_receipt(
    *,
    entity_id: int,
    amount: Decimal,
    currency: str,
    received_on: dt.date,
    actor: Actor,
    customer: int | None = None,
    method: str = Receipt.Method.WIRE,
    reference: str = "",
    payer_name: str = "",
    payer_account: str = "",
    external_id: str = "",
    reason: str = "",
) -> Receipt:
    """Record a receipt from the dialog."""
    return receipts.record(
        entity_id=entity_id,
        customer_id=customer,
        currency=currency.upper(),
        amount=amount,
        received_on=received_on,
        method=method,
        reference=reference,
        payer_name=payer_name,
        payer_account=payer_account,
        external_id=external_id or None,
        actor=actor,
        reason=reason,
    )


def identify_receipt(pk: int, *, customer: int, actor: Actor, reason: str = "") -> Receipt:
    """Say whose an unidentified receipt is."""
    return receipts.identify(pk, customer, actor=actor, reason=reason)


def _payee(said: Mapping[str, Any]) -> refunds.Payee:
    names = ("name", "account", "routing", "swift")
    found = {name: said.get(f"payee_{name}") or "" for name in names}
    return refunds.Payee(
        method=said.get("method") or "", processor_reference=said.get("processor_reference") or "", **found
    )


def refund_receipt(
    pk: int,
    *,
    amount: Decimal,
    refund_on: dt.date,
    reason_code: str,
    actor: Actor,
    reason: str = "",
    **payee: Any,
) -> Refund:
    """Draft a refund of what is left of a receipt."""
    return refunds.draft(
        receipt_id=pk, amount=amount, refund_on=refund_on, reason_code=reason_code, payee=_payee(payee),
        actor=actor, reason=reason,
    )  # fmt: skip


def refund_credit_memo(
    pk: int,
    *,
    amount: Decimal,
    refund_on: dt.date,
    reason_code: str,
    actor: Actor,
    reason: str = "",
    **payee: Any,
) -> Refund:
    """Draft a refund of what is left of a credit memo."""
    return refunds.draft(
        credit_memo_id=pk, amount=amount, refund_on=refund_on, reason_code=reason_code, payee=_payee(payee),
        actor=actor, reason=reason,
    )  # fmt: skip


def revise_refund(
    pk: int,
    *,
    amount: Decimal,
    refund_on: dt.date,
    reason_code: str,
    actor: Actor,
    reason: str = "",
    **payee: Any,
) -> Refund:
    """Change a drafted refund; an account that is left empty stays as it is."""
    return refunds.revise(
        pk, amount=amount, refund_on=refund_on, reason_code=reason_code, payee=_payee(payee), actor=actor,
        reason=reason,
    )  # fmt: skip


def statement(pk: int, *, since: dt.date, as_of: dt.date, actor: Actor, reason: str = "") -> list[int]:
    """Make the statements of a customer, one for each entity and currency with movements; document ids."""
    with acting(actor, reason=reason):
        require(actor, "billing.invoice.render", record=f"customer {pk}")
        accounts = (
            Invoice.objects.posted()
            .filter(customer_id=pk)
            .order_by("entity_id", "currency")
            .values_list("entity_id", "currency")
            .distinct()
        )
        return [
            documents.statement(pk, entity, currency, since=since, as_of=as_of, actor=actor).pk
            for entity, currency in accounts
        ]
