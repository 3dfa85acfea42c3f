"""The dialogs of orders: what a person must say beside the reason."""

from __future__ import annotations

from typing import Any

from django import forms

from orders.domain.changes import CANCEL_MODES, MAX_QUANTITY
from orders.models import BillingTerms, Contact, Customer, Order, Quote, Sku


class Day(forms.DateField):
    """A date, picked or typed as 2026-08-31."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=forms.DateInput(attrs={"type": "date"}), **kwargs)


class CustomerNumber(forms.CharField):
    """A customer by number ("C-000001") or the beginning of the name; gives the primary key, or None."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=200, help_text="Number, or the beginning of the name.", **kwargs)

    def clean(self, value: Any) -> int | None:
        text = super().clean(value)
        if not text:  # and need not be said
            return None
        rows = Customer.objects.filter(number__iexact=text) or Customer.objects.filter(name__istartswith=text)
        found = list(rows.values_list("pk", "number", "name")[:6])
        if len(found) == 1:
            return found[0][0]
        if not found:
            raise forms.ValidationError("There is no such customer.")
        names = ", ".join(f"{number} {name}" for _, number, name in found[:5])
        raise forms.ValidationError(f"Several customers begin like that: {names}. Give the number.")


def _quantity(**kwargs: Any) -> forms.DecimalField:
    return forms.DecimalField(min_value=0, max_value=MAX_QUANTITY, decimal_places=9, **kwargs)


def _percent(**kwargs: Any) -> forms.DecimalField:
    return forms.DecimalField(min_value=0, max_value=100, decimal_places=4, required=False, **kwargs)


def _amount(**kwargs: Any) -> forms.DecimalField:
    return forms.DecimalField(min_value=0, max_digits=28, decimal_places=12, required=False, **kwargs)


def _sku() -> forms.ModelChoiceField[Sku]:
    return forms.ModelChoiceField(Sku.objects.filter(active=True), to_field_name="code", label="SKU")


class CodeOfSku(forms.Form):
    """Forms that choose a SKU hand its code on."""

    def clean_sku(self) -> str:
        sku: Sku = self.cleaned_data["sku"]
        return sku.code


class SignForm(forms.Form):
    signed_on = Day(label="Signed on")


class ActivateForm(forms.Form):
    as_of = Day(label="Active from", help_text="The day of the activation; the term keeps its own dates.")


class NewOrderForm(forms.Form):
    customer = CustomerNumber()
    title = forms.CharField(max_length=200, required=False)
    starts_on = Day(label="Starts on")
    term_months = forms.IntegerField(
        min_value=1, max_value=240, required=False, help_text="Empty: without end."
    )
    billing_frequency = forms.ChoiceField(choices=BillingTerms.Frequency.choices)
    po_number = forms.CharField(max_length=60, required=False, label="PO number")
    signed_total = forms.DecimalField(
        max_digits=20,
        decimal_places=3,
        min_value=0,
        required=False,
        help_text="What the customer signs for over the term; compared before activation.",
    )


class NewQuoteForm(forms.Form):
    customer = CustomerNumber()
    title = forms.CharField(max_length=200, required=False)
    starts_on = Day(label="Starts on")
    term_months = forms.IntegerField(
        min_value=1, max_value=240, required=False, help_text="Empty: without end."
    )
    billing_frequency = forms.ChoiceField(choices=BillingTerms.Frequency.choices)
    valid_until = Day(label="Valid until", help_text="The last day to accept.")


class ReviseForm(forms.Form):
    valid_until = Day(label="Valid until", help_text="The last day to accept the new version.")


class AcceptForm(forms.Form):
    accepted_on = Day(label="Accepted on")


class DraftLineForm(CodeOfSku):
    sku = _sku()
    quantity = _quantity(initial=1)
    unit_amount = _amount(label="Unit price", help_text="Empty: the list price.")
    discount_percent = _percent(label="Discount, %")
    description = forms.CharField(max_length=300, required=False)


class OrderLineForm(DraftLineForm):
    usage_key = forms.CharField(
        max_length=100, required=False, help_text="Usage events that carry this key belong to this line."
    )


class QuoteLineForm(DraftLineForm):
    override_reason = forms.CharField(
        max_length=300, required=False, help_text="Why this is not the list price."
    )


class ContactForm(forms.Form):
    name = forms.CharField(max_length=200)
    email = forms.EmailField()
    kind = forms.ChoiceField(choices=Contact.Kind.choices)


class AttributeForm(forms.Form):
    revenue_treatment = forms.ChoiceField(choices=[("", "not yet"), *Sku.Treatment.choices], required=False)
    gl_segment = forms.CharField(max_length=40, required=False, label="GL segment")


def _line_choices(contract: Order | Quote) -> list[tuple[int, str]]:
    rows = contract.lines.select_related("sku").order_by("position")
    return [(row.pk, f"{row.position}: {row.sku.code}, {row.description}") for row in rows]


def _with_lines(
    base: type[forms.Form], contract: Order | Quote, *, required: bool = True
) -> type[forms.Form]:
    """`base` with a choice among the lines of this contract in front."""
    choices = _line_choices(contract)
    if not required:
        choices = [("", "the whole order"), *choices]  # type: ignore[list-item]
    field = forms.TypedChoiceField(choices=choices, coerce=int, empty_value=None, required=required)
    return type(base.__name__, (base,), {"line": field, "field_order": ["line"]})


class QuantityForm(forms.Form):
    quantity = _quantity(label="New quantity")
    effective_on = Day(label="From")
    until = Day(label="Until", required=False, help_text="Exclusive; empty: to the end of the line.")


class PriceForm(forms.Form):
    effective_on = Day(label="From")
    unit_amount = _amount(label="New unit price")
    discount_percent = _percent(label="New discount, %")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("unit_amount") is None and data.get("discount_percent") is None:
            raise forms.ValidationError("Give a unit price or a discount.")
        return data


class AddLineForm(CodeOfSku):
    sku = _sku()
    quantity = _quantity(initial=1)
    effective_on = Day(label="From")
    discount_percent = _percent(label="Discount, %")


class CancelForm(forms.Form):
    mode = forms.ChoiceField(
        choices=list(
            zip(CANCEL_MODES, ("From that day", "At the end of its period", "Backdated"), strict=True)
        ),
        label="When",
    )
    effective_on = Day(label="Day")


class RenewForm(forms.Form):
    term_months = forms.IntegerField(min_value=1, max_value=120, initial=12)
    uplift_percent = forms.DecimalField(
        min_value=-100, max_value=1000, decimal_places=4, required=False, label="Uplift, %"
    )
    reprice = forms.ChoiceField(
        choices=[("keep", "Prices of today, with the uplift"), ("list", "List prices of that day")]
    )


def quantity_form(order: Order) -> type[forms.Form]:
    return _with_lines(QuantityForm, order)


def price_form(order: Order) -> type[forms.Form]:
    return _with_lines(PriceForm, order)


def cancel_form(order: Order) -> type[forms.Form]:
    return _with_lines(CancelForm, order, required=False)


def remove_line_form(contract: Order | Quote) -> type[forms.Form]:
    return _with_lines(forms.Form, contract)
