"""The dialogs of refunds: how much, why, and where the money goes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms

from billing.models import Invoice, Receipt, Refund
from billing.selectors.refunds import paid_by, refundable
from o2c import clock, vault
from o2c.money import quantize
from orders.admin.forms import Day


def _fields(left: Decimal, said: dict[str, Any], account: str) -> dict[str, forms.Field]:
    from_receipt = f"Empty: {account}, from which it was paid." if account else "The bank did not say it."
    return {
        "amount": forms.DecimalField(
            max_digits=20,
            decimal_places=3,
            min_value=0,
            initial=said.get("amount", left),
            help_text=f"At most {left}: nothing else has used that.",
        ),
        "reason_code": forms.ChoiceField(
            choices=Refund.Reason.choices, label="Why", initial=said.get("reason_code")
        ),
        "refund_on": Day(
            label="Dated", initial=said.get("refund_on", clock.today), help_text="Day of its journal."
        ),
        "method": forms.ChoiceField(choices=Refund.Method.choices, initial=said.get("method"), label="Way"),
        "payee_name": forms.CharField(
            max_length=140, required=False, initial=said.get("payee_name"), label="Payee"
        ),
        "payee_account": forms.CharField(
            max_length=64, required=False, label="Account", help_text=f"IBAN, or number. {from_receipt}"
        ),
        "payee_routing": forms.CharField(max_length=40, required=False, label="Routing number"),
        "payee_swift": forms.CharField(
            max_length=11, required=False, initial=said.get("payee_swift"), label="BIC"
        ),
        "processor_reference": forms.CharField(
            max_length=100,
            required=False,
            initial=said.get("processor_reference"),
            label="Payment at the processor",
            help_text="By card only. Empty: the payment that came in.",
        ),
    }


def _form(fields: dict[str, forms.Field]) -> type[forms.Form]:
    return type("RefundForm", (forms.Form,), fields)


def refund_form(source: Receipt | Invoice) -> type[forms.Form]:
    """A refund of this receipt or credit memo, filled in as it would go back to where it came from."""
    came_from = next(iter(paid_by(source)), None)
    said: dict[str, Any] = {"method": Refund.Method.WIRE}
    account = ""
    if came_from is not None:
        if came_from.method in Refund.Method.values:
            said["method"] = came_from.method
        said["payee_name"] = came_from.payer_name
        account = vault.masked(came_from.payer_account)
    if isinstance(source, Invoice):
        said["reason_code"] = Refund.Reason.CREDITED
    return _form(_fields(quantize(refundable(source), source.currency), said, account))


def revise_form(refund: Refund) -> type[forms.Form]:
    """The draft as it is. Account and routing number stay as they are when they are left empty."""
    said = {
        "amount": quantize(refund.amount, refund.currency),
        **{
            name: getattr(refund, name)
            for name in ("reason_code", "refund_on", "method", "payee_name", "payee_swift",
                         "processor_reference")
        },
    }  # fmt: skip
    fields = _fields(quantize(refundable(refund.source), refund.currency), said, "")
    for name in ("payee_account", "payee_routing"):
        is_now = vault.masked(getattr(refund, name))
        fields[name].help_text = f"Empty: stays {is_now}." if is_now else ""
    return _form(fields)


class PaidForm(forms.Form):
    paid_on = Day(label="Value date", initial=clock.today)
    payment_reference = forms.CharField(max_length=100, label="Id at the bank")


class FailedForm(forms.Form):
    failed_on = Day(label="Dated", initial=clock.today)
    failure = forms.CharField(max_length=300, label="What the bank said")
