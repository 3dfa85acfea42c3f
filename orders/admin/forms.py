"""The dialogs of orders: what a person must say beside the reason."""

from __future__ import annotations

from typing import Any

from django import forms

from orders.domain import schedules
from orders.domain.changes import CANCEL_MODES, MAX_QUANTITY, WHOLE_DAYS
from orders.models import BillingTerms, Contact, Customer, Order, Quote, Sku
from orders.policy_masters import IDENTITY
from orders.selectors.milestones import reached_on


class Day(forms.DateField):
    """A date, picked or typed as 2026-08-31."""

    def __init__(self, **kwargs: Any) -> None:
        wrong = {"invalid": f"Enter a date such as 2026-08-31. {WHOLE_DAYS}."}
        super().__init__(widget=forms.DateInput(attrs={"type": "date"}), error_messages=wrong, **kwargs)


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


class ScheduleField(forms.CharField):
    """Instalments, one to a row: a date or "milestone", the amount, a name."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            required=False,
            widget=forms.Textarea(attrs={"rows": 3}),
            help_text="Only for a line that is billed by instalments, one to a row: "
            "'2026-09-01 40000.00 On signature' or 'milestone 60000.00 Acceptance'.",
            **kwargs,
        )

    def clean(self, value: Any) -> list[dict[str, str]]:
        found = []
        for row in super().clean(value).splitlines():
            parts = row.split(None, 2)
            if not parts:
                continue
            if parts[0].lower() == "milestone" and len(parts) == 3:
                found.append({"milestone": parts[2].strip(), "amount": parts[1]})
            elif len(parts) >= 2:
                named = {"name": parts[2].strip()} if len(parts) == 3 else {}
                found.append({"on": parts[0], "amount": parts[1], **named})
            else:
                raise forms.ValidationError(f"{row!r} is no instalment: say date, amount and name.")
        return found


class TermsForm(forms.Form):
    """The billing clauses of a draft; the form opens with what holds."""

    billing_frequency = forms.ChoiceField(choices=BillingTerms.Frequency.choices)
    anchor = forms.ChoiceField(choices=BillingTerms.Anchor.choices)
    anchor_on = Day(
        required=False,
        label="Counted from",
        help_text="Of calendar periods its day is the billing day. Empty: the start, or the 1st.",
    )
    proration = forms.ChoiceField(choices=BillingTerms.Proration.choices)
    counted_day = forms.ChoiceField(choices=BillingTerms.CountedDay.choices)
    remainder = forms.ChoiceField(
        choices=BillingTerms.Remainder.choices, label="Who takes what rounding leaves"
    )
    time_zone = forms.CharField(max_length=64, help_text="IANA name, Europe/Dublin.")
    payment_terms_days = forms.IntegerField(min_value=0, max_value=365)
    termination_notice_days = forms.IntegerField(
        min_value=0, max_value=3660, required=False, label="Early termination, days of notice",
        help_text="Empty: the customer may not leave early.",
    )  # fmt: skip
    acceptance_days = forms.IntegerField(
        min_value=0, max_value=3660, required=False, label="Acceptance, days", help_text="Empty: none."
    )
    most_favoured_price = forms.BooleanField(required=False, label="Most-favoured price")
    side_letter = forms.CharField(
        max_length=300, required=False, help_text="What else was promised, and where it is filed."
    )


def terms_form(contract: Order | Quote) -> type[forms.Form]:
    """The clauses, each with what holds now."""

    class Held(TermsForm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            for name in TermsForm.base_fields:
                self.fields[name].initial = getattr(contract, name)

    return Held


def credit_terms_form(customer: Customer) -> type[forms.Form]:
    """Payment terms and tax exemption, with what holds now."""
    fields = {
        "payment_terms_days": forms.IntegerField(
            min_value=0, max_value=365, initial=customer.payment_terms_days, label="Payment terms, days"
        ),
        "tax_exempt": forms.BooleanField(
            required=False, initial=customer.tax_exempt, label="Exempt from tax"
        ),
    }
    return type("CreditTermsForm", (forms.Form,), fields)


def identity_form(customer: Customer) -> type[forms.Form]:
    """Whom and where we bill, with what holds now."""
    fields: dict[str, forms.Field] = {}
    for name in IDENTITY:
        column: Any = Customer._meta.get_field(name)
        kind = forms.EmailField if name == "billing_email" else forms.CharField
        fields[name] = kind(
            required=name in {"legal_name", "country"},
            max_length=column.max_length,
            initial=getattr(customer, name),
            label=str(column.verbose_name).capitalize(),
        )
    return type("IdentityForm", (forms.Form,), fields)


def milestone_form(order: Order) -> type[forms.Form]:
    """Which milestone of which line, and when."""
    choices = [
        (f"{line.pk}|{one.name}", f"{line.position}: {one.name}, {one.amount} {order.currency}")
        for line in order.lines.order_by("position")
        for one in schedules.read(line.schedule)
        if one.is_milestone
    ]
    field = forms.ChoiceField(choices=choices)
    return type("MilestoneForm", (MilestoneForm,), {"milestone": field, "field_order": ["milestone"]})


class MilestoneForm(forms.Form):
    """`milestone` says line and name; the service takes them apart."""

    reached_on = Day(label="Reached on")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        return _split_milestone(data)


class RetractForm(forms.Form):
    def clean(self) -> dict[str, Any]:
        return _split_milestone(super().clean() or {})


def retract_form(order: Order) -> type[forms.Form]:
    """Which recorded milestone was none."""
    names = {line.pk: line.position for line in order.lines.all()}
    choices = [
        (f"{line}|{name}", f"{names[line]}: {name}, recorded as reached on {day}")
        for line, reached in reached_on(list(names)).items()
        for name, day in reached.items()
    ]
    return type("RetractForm", (RetractForm,), {"milestone": forms.ChoiceField(choices=choices)})


def _split_milestone(data: dict[str, Any]) -> dict[str, Any]:
    if "milestone" not in data:
        return data
    line, name = data["milestone"].split("|", 1)
    return {**data, "line": int(line), "milestone": name}


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
    timing = forms.ChoiceField(
        choices=[("", "Usage in arrears, else in advance"), *BillingTerms.Timing.choices], required=False
    )
    frequency = forms.ChoiceField(
        choices=[("", "As the contract"), *BillingTerms.Frequency.choices], required=False
    )
    schedule = ScheduleField()


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
    cost_percent = forms.DecimalField(
        min_value=0,
        max_value=100,
        max_digits=5,
        decimal_places=2,
        required=False,
        label="Cost, percent of the list price",
        help_text="Quotes are approved by the margin that their discounts leave. Empty: as it is.",
    )


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


class PlanForm(CodeOfSku):
    sku = _sku()
    effective_on = Day(label="From")
    quantity = _quantity(required=False, help_text="Empty: as many as before.")
    discount_percent = _percent(label="Discount, %")


class PauseForm(forms.Form):
    effective_on = Day(label="From")
    until = Day(label="Until", required=False, help_text="Exclusive; empty: until it is resumed.")


class ResumeForm(forms.Form):
    effective_on = Day(label="From")


class TransferForm(forms.Form):
    customer = CustomerNumber(label="To the customer")
    effective_on = Day(label="From")


class UndoForm(forms.Form):
    """The dialog gets the applied amendments of the order as choices."""


def undo_form(order: Order) -> type[forms.Form]:
    """Which applied amendment is taken back."""
    rows = order.amendments.filter(state="applied").exclude(kind="transfer").order_by("-number")
    choices = [(row.number, f"{row.number}: {row.get_kind_display()}, {row.effective_on}") for row in rows]
    field = forms.TypedChoiceField(choices=choices, coerce=int)
    return type("UndoForm", (UndoForm,), {"amendment": field})


class CouponCodeForm(forms.Form):
    code = forms.CharField(max_length=40)
    redeemed_on = Day(label="Redeemed on")


def coupon_form(order: Order) -> type[forms.Form]:
    return _with_lines(CouponCodeForm, order)


def plan_form(order: Order) -> type[forms.Form]:
    return _with_lines(PlanForm, order)


def pause_form(order: Order) -> type[forms.Form]:
    return _with_lines(PauseForm, order, required=False)


def resume_form(order: Order) -> type[forms.Form]:
    return _with_lines(ResumeForm, order, required=False)


def quantity_form(order: Order) -> type[forms.Form]:
    return _with_lines(QuantityForm, order)


def price_form(order: Order) -> type[forms.Form]:
    return _with_lines(PriceForm, order)


def cancel_form(order: Order) -> type[forms.Form]:
    return _with_lines(CancelForm, order, required=False)


def remove_line_form(contract: Order | Quote) -> type[forms.Form]:
    return _with_lines(forms.Form, contract)
