"""The dialogs of billing: what a person must say beside the reason."""

from __future__ import annotations

from typing import Any

from django import forms

from billing.models import Application, Dispute, Invoice, Receipt
from billing.postings import CREDIT_REASONS
from billing.services import credit_memos
from billing.services.applications import SHORT_PAY_REASONS, WRITE_OFF_REASONS, propose
from billing.services.requests import INVOICE, LINE
from o2c import clock
from o2c.ledger.models import LegalEntity
from orders.admin.forms import CustomerNumber, Day

MOST_OPEN = 40


def _amount(**kwargs: Any) -> forms.DecimalField:
    return forms.DecimalField(max_digits=20, decimal_places=3, **kwargs)


def _entities() -> list[tuple[int, str]]:
    return [(entity.pk, f"{entity.code} {entity.name}") for entity in LegalEntity.objects.order_by("code")]


def _entity(**kwargs: Any) -> forms.TypedChoiceField:
    return forms.TypedChoiceField(choices=_entities, coerce=int, label="Legal entity", **kwargs)


class PlanRunForm(forms.Form):
    entity_id = _entity()
    through = Day(label="Bill up to", help_text="The last day whose service is billed.")
    issue_on = Day(label="Invoice date", required=False, help_text="Empty: that last day.")
    currency = forms.CharField(max_length=3, required=False, help_text="Empty: every currency.")


class ReceiptForm(forms.Form):
    entity_id = _entity()
    customer = CustomerNumber(required=False)
    amount = _amount(min_value=0)
    currency = forms.CharField(min_length=3, max_length=3)
    received_on = Day(label="Value date")
    method = forms.ChoiceField(choices=Receipt.Method.choices)
    reference = forms.CharField(max_length=140, required=False, help_text="What the payer wrote.")
    payer_name = forms.CharField(max_length=140, required=False)
    payer_account = forms.CharField(
        max_length=64, required=False, help_text="The account it was paid from; a refund goes back there."
    )
    external_id = forms.CharField(max_length=100, required=False, help_text="Id at the bank.")

    def clean_customer(self) -> int | None:
        return self.cleaned_data["customer"] or None


class PayerForm(forms.Form):
    customer = CustomerNumber()


class PromotionForm(forms.Form):
    customer = CustomerNumber()
    amount = _amount(min_value=0)
    starts_on = Day(label="Good from", initial=clock.today)
    ends_on = Day(label="Good until", required=False, help_text="The first day without it. Empty: no end.")
    order = forms.CharField(max_length=20, required=False, help_text="Order number. Empty: every order.")
    skus = forms.CharField(max_length=200, required=False, help_text="SKU codes, by comma. Empty: all usage.")
    priority = forms.IntegerField(min_value=0, initial=100, help_text="The lowest is used up first.")


class OnForm(forms.Form):
    on = Day(label="Dated", initial=clock.today)


class ManualInvoiceForm(forms.Form):
    customer = CustomerNumber()
    description = forms.CharField(max_length=300)
    net = _amount(label="Net")
    tax_category = forms.CharField(max_length=40, initial="standard")
    issue_date = Day(label="Invoice date")
    po_number = forms.CharField(max_length=60, required=False, label="PO number")


class ExpenseForm(forms.Form):
    amount = _amount(min_value=0)
    applied_on = Day(label="Dated", initial=clock.today)


class ShortPayForm(ExpenseForm):
    reason_code = forms.ChoiceField(choices=list(SHORT_PAY_REASONS.items()), label="Why it is short")


class WriteOffForm(ExpenseForm):
    reason_code = forms.ChoiceField(choices=list(WRITE_OFF_REASONS.items()), label="Why it is lost")


class ResendForm(forms.Form):
    address = forms.EmailField(required=False, help_text="Empty: the address on the document.")


class BounceForm(forms.Form):
    detail = forms.CharField(max_length=500, help_text="What the receiving side said.")


class StatementForm(forms.Form):
    since = Day(label="From")
    as_of = Day(label="To", initial=clock.today)


def _form(name: str, fields: dict[str, forms.Field], base: type[forms.Form] = forms.Form) -> type[forms.Form]:
    return type(name, (base,), fields)


class AppliedOnForm(forms.Form):
    applied_on = Day(label="Applied on", initial=clock.today)


def _open_invoices(customer_id: int, entity_id: int, currency: str) -> list[Invoice]:
    rows = Invoice.objects.open().filter(
        customer_id=customer_id, entity_id=entity_id, currency=currency, total__gt=0
    )
    return list(rows.order_by("due_date", "pk")[:MOST_OPEN])


def _part_fields(found: list[Invoice], proposed: dict[int, Any]) -> dict[str, forms.Field]:
    return {
        f"{INVOICE}{invoice.pk}": _amount(
            required=False,
            min_value=0,
            max_value=invoice.open_amount,
            initial=proposed.get(invoice.pk),
            label=f"{invoice.number}, due {invoice.due_date}",
            help_text=f"Open: {invoice.open_amount.normalize():f} {invoice.currency}",
        )
        for invoice in found
    }


def apply_form(receipt: Receipt) -> type[forms.Form]:
    """An amount for each open invoice of the payer, filled in as the matching rules propose."""
    if receipt.customer_id is None:
        return AppliedOnForm
    found = _open_invoices(receipt.customer_id, receipt.entity_id, receipt.currency)
    return _form("ApplyForm", _part_fields(found, dict(propose(receipt).parts)), AppliedOnForm)


def use_credit_form(memo: Invoice) -> type[forms.Form]:
    """An amount for each open invoice of the customer."""
    found = _open_invoices(memo.customer_id, memo.entity_id, memo.currency)
    return _form("UseCreditForm", _part_fields(found, {}), AppliedOnForm)


def unapply_form(receipt: Receipt) -> type[forms.Form]:
    """A choice among the applications that stand."""
    rows = receipt.applications.filter(
        reverses__isnull=True, reversed_by__isnull=True, kind=Application.Kind.RECEIPT
    )
    choices = [
        (row.pk, f"{row.invoice}: {row.amount.normalize():f}, {row.applied_on}")
        for row in rows.select_related("invoice")
    ]
    field = forms.TypedChoiceField(choices=choices, coerce=int, label="Application")
    return _form("UnapplyForm", {"application_id": field}, OnForm)


class CreditForm(forms.Form):
    reason_code = forms.ChoiceField(choices=list(CREDIT_REASONS.items()), label="Why")
    issue_date = Day(label="Dated", initial=clock.today)
    everything = forms.BooleanField(required=False, label="Credit everything that is left")


def credit_form(invoice: Invoice) -> type[forms.Form]:
    """Everything, or an amount for each line, up to what is left of it."""
    left = credit_memos.creditable(invoice)
    fields: dict[str, forms.Field] = {}
    for line in invoice.lines.order_by("position")[:MOST_OPEN]:
        item = left.get(line.pk)
        if item is not None and item.remaining_net > 0:
            fields[f"{LINE}{line.pk}"] = _amount(
                required=False,
                min_value=0,
                max_value=item.remaining_net,
                label=f"{line.position}. {line.description}",
                help_text=f"Net left to credit: {item.remaining_net.normalize():f} {invoice.currency}",
            )
    return _form("CreditForm", fields, CreditForm)


def dispute_form(invoice: Invoice) -> type[forms.Form]:
    """The whole document, or one line of it."""
    choices = [("", "the whole document")] + [
        (str(line.pk), f"{line.position}. {line.description}") for line in invoice.lines.order_by("position")
    ]
    fields: dict[str, forms.Field] = {
        "line_id": forms.TypedChoiceField(
            choices=choices, coerce=int, empty_value=None, required=False, label="What"
        ),
        "amount": _amount(required=False, min_value=0, help_text="With tax; empty: all of it."),
        "reason_code": forms.ChoiceField(choices=Dispute.Reason.choices, label="Why"),
        "description": forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 3})),
        "opened_on": Day(label="Opened on", initial=clock.today),
    }
    return _form("DisputeForm", fields)
