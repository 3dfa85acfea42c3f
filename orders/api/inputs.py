"""What callers send. Flat where Salesforce has to build it; amounts and quantities are decimal strings."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from o2c.api import fields
from orders.domain.clauses import PER
from orders.models import BillingTerms, Contact
from orders.services.inputs import ContactInput, CustomerInput, LineInput, OrderInput, TermsInput

optional: dict[str, Any] = {"required": False, "allow_null": True, "default": None}
absent: dict[str, Any] = {"required": False, "default": None}


class ContactIn(fields.Body):
    """A person at the customer."""

    name = serializers.CharField(max_length=200)
    email = serializers.EmailField()
    kind = serializers.ChoiceField(choices=Contact.Kind.choices, default=Contact.Kind.BILLING)


class TaxRegistrationIn(fields.Body):
    """A tax number in one country."""

    country = serializers.CharField(min_length=2, max_length=2)
    number = serializers.CharField(max_length=40)


class CustomerIn(fields.Body):
    """A customer. What is left out stays as it is; a new customer needs entity, currency and country."""

    name = serializers.CharField(max_length=200)
    legal_name = serializers.CharField(max_length=200, **absent)
    entity = serializers.CharField(max_length=8, help_text="Code of our legal entity, 'US'.", **absent)
    currency = fields.Currency(**absent)
    country = serializers.CharField(min_length=2, max_length=2, **absent)
    region = serializers.CharField(max_length=50, allow_blank=True, **absent)
    tax_id = serializers.CharField(max_length=40, allow_blank=True, **absent)
    tax_exempt = serializers.BooleanField(**optional)
    payment_terms_days = serializers.IntegerField(min_value=0, max_value=365, **absent)
    bill_to_name = serializers.CharField(max_length=200, allow_blank=True, **absent)
    bill_to_line1 = serializers.CharField(max_length=200, allow_blank=True, **absent)
    bill_to_line2 = serializers.CharField(max_length=200, allow_blank=True, **absent)
    bill_to_city = serializers.CharField(max_length=100, allow_blank=True, **absent)
    bill_to_region = serializers.CharField(max_length=50, allow_blank=True, **absent)
    bill_to_postal_code = serializers.CharField(max_length=20, allow_blank=True, **absent)
    bill_to_country = serializers.CharField(min_length=2, max_length=2, **absent)
    billing_email = serializers.EmailField(allow_blank=True, **absent)
    time_zone = serializers.CharField(max_length=64, **absent)
    consolidate_invoices = serializers.BooleanField(**optional)
    contacts = ContactIn(many=True, required=False)
    tax_registrations = TaxRegistrationIn(many=True, required=False)

    def input(self, salesforce_id: str) -> CustomerInput:
        """The checked body for the service."""
        data = dict(self.validated_data)
        contacts = data.pop("contacts", [])
        registrations = data.pop("tax_registrations", [])
        return CustomerInput(
            salesforce_id=salesforce_id,
            contacts=tuple(ContactInput(**contact) for contact in contacts),
            tax_registrations={item["country"]: item["number"] for item in registrations},
            **data,
        )


class PriceSpec(fields.Document):
    """A price (orders/domain/price_spec.py); the service checks it, and tells every problem by its place."""

    def to_internal_value(self, data: Any) -> Any:
        return data


class Instalment(serializers.Serializer[Any]):
    """One instalment: on a date, or when a milestone is reached."""

    on = serializers.DateField(required=False)
    milestone = serializers.CharField(required=False)
    amount = fields.Amount()


@extend_schema_field(Instalment(many=True))
class Schedule(serializers.ListField):
    """Instalments by date or milestone (orders/domain/schedules.py); the service checks them."""

    child = fields.Document()


class Commitment(serializers.Serializer[Any]):
    """At least this much in every period, or over the whole term."""

    amount = fields.Amount()
    per = serializers.ChoiceField(choices=PER)
    skus = serializers.ListField(child=serializers.CharField(), required=False)
    overage_factor = fields.Rate(required=False)


@extend_schema_field(Commitment(many=True))
class Commitments(serializers.ListField):
    """Minimum commitments (orders/domain/clauses.py); the service checks them."""

    child = fields.Document()


class LineIn(fields.Body):
    """A line as it was sold. Without an override the list price of its first day holds."""

    sku = serializers.CharField(max_length=60)
    quantity = fields.Quantity(required=False)
    price_id = serializers.IntegerField(help_text="A certain list price.", **optional)
    price_override = PriceSpec(
        required=False,
        allow_null=True,
        default=None,
        help_text='{"model": "per_unit", "unit_amount": "36.00"}',
    )
    discount_percent = fields.Rate(required=False)
    starts_on = serializers.DateField(**optional)
    ends_on = serializers.DateField(help_text="Exclusive.", **optional)
    timing = serializers.ChoiceField(choices=BillingTerms.Timing.choices, **optional)
    frequency = serializers.ChoiceField(
        choices=BillingTerms.Frequency.choices, allow_blank=True, required=False, default=""
    )
    description = serializers.CharField(max_length=300, allow_blank=True, required=False, default="")
    usage_key = serializers.CharField(max_length=100, allow_blank=True, required=False, default="")
    source_line_id = serializers.CharField(max_length=40, allow_blank=True, required=False, default="")
    schedule = Schedule(
        required=False,
        help_text="Billed by instalments that sum to the value of the line, not by periods: "
        '[{"on": "2026-09-01", "amount": "40000.00"}, {"milestone": "Acceptance", "amount": "60000.00"}]',
    )


class OrderIn(fields.Body):
    """A signed deal. Give `customer` (our number) or `customer_salesforce_id`; `ends_on` or `term_months`."""

    customer = serializers.CharField(max_length=20, required=False, default="")
    customer_salesforce_id = serializers.CharField(max_length=18, required=False, default="")
    salesforce_opportunity_id = serializers.CharField(max_length=18, **absent)
    title = serializers.CharField(max_length=200, allow_blank=True, required=False, default="")
    starts_on = serializers.DateField()
    ends_on = serializers.DateField(help_text="Exclusive.", **optional)
    term_months = serializers.IntegerField(min_value=1, max_value=240, **optional)
    signed_total = fields.Amount(
        help_text="What the customer signed for over the term; compared before activation.", **optional
    )
    billing_frequency = serializers.ChoiceField(choices=BillingTerms.Frequency.choices, **optional)
    anchor = serializers.ChoiceField(choices=BillingTerms.Anchor.choices, **optional)
    anchor_on = serializers.DateField(
        help_text="Where billing periods are counted from; its day is the billing day of calendar periods.",
        **optional,
    )
    proration = serializers.ChoiceField(choices=BillingTerms.Proration.choices, **optional)
    counted_day = serializers.ChoiceField(choices=BillingTerms.CountedDay.choices, **optional)
    remainder = serializers.ChoiceField(choices=BillingTerms.Remainder.choices, **optional)
    time_zone = serializers.CharField(max_length=64, **absent)
    channel = serializers.ChoiceField(choices=BillingTerms.Channel.choices, **optional)
    payment_terms_days = serializers.IntegerField(min_value=0, max_value=365, **optional)
    po_number = serializers.CharField(max_length=60, allow_blank=True, **absent)
    late_usage_policy = serializers.ChoiceField(choices=BillingTerms.LateUsage.choices, **optional)
    late_waive_below = fields.Amount(help_text="Late usage below it is not billed.", **optional)
    commitments = Commitments(
        help_text='[{"amount": "10000.00", "per": "quarter", "skus": ["API"], "overage_factor": "1.5"}]',
        **optional,
    )
    invoice_thresholds = serializers.ListField(
        child=serializers.CharField(max_length=24),
        help_text='Unbilled usage of a period that makes an early invoice, ascending: ["200.00", "500.00"]',
        **optional,
    )
    termination_notice_days = serializers.IntegerField(min_value=0, max_value=3660, **optional)
    acceptance_days = serializers.IntegerField(min_value=0, max_value=3660, **optional)
    most_favoured_price = serializers.BooleanField(**absent)
    side_letter = serializers.CharField(max_length=300, allow_blank=True, **absent)
    consolidation_key = serializers.CharField(max_length=60, allow_blank=True, required=False, default="")
    lines = LineIn(many=True, allow_empty=False)

    def input(self, customer: int) -> OrderInput:
        """The checked body for the service."""
        data = dict(self.validated_data)
        for name in ("customer", "customer_salesforce_id"):
            data.pop(name)
        names = set(TermsInput.__slots__)
        terms = {name: data.pop(name) for name in list(data) if name in names}
        lines = tuple(_line(dict(line)) for line in data.pop("lines"))
        return OrderInput(customer=customer, lines=lines, terms=TermsInput(**terms), **data)


def _line(data: dict[str, Any]) -> LineInput:
    data["price"] = data.pop("price_id")
    data["schedule"] = tuple(data.pop("schedule", ()))
    return LineInput(**data)


class MilestoneIn(fields.Body):
    """A milestone that was reached, or, without a day, that it was reached taken back."""

    line_id = serializers.IntegerField()
    milestone = serializers.CharField(max_length=100)
    reached_on = serializers.DateField(**optional)
    reason = serializers.CharField(max_length=500, required=False, default="", allow_blank=True)


class AccountIn(serializers.Serializer[Any]):
    """The Account of an Opportunity, with the names that Salesforce gives."""

    Id = serializers.CharField()
    Name = serializers.CharField()
    BillingStreet = serializers.CharField(required=False, allow_null=True)
    BillingCity = serializers.CharField(required=False, allow_null=True)
    BillingStateCode = serializers.CharField(required=False, allow_null=True)
    BillingPostalCode = serializers.CharField(required=False, allow_null=True)
    BillingCountryCode = serializers.CharField(required=False, allow_null=True)
    Legal_Entity__c = serializers.CharField(required=False, allow_null=True)
    Tax_Id__c = serializers.CharField(required=False, allow_null=True)
    Billing_Email__c = serializers.CharField(required=False, allow_null=True)


class LineItemIn(serializers.Serializer[Any]):
    """An OpportunityLineItem."""

    Id = serializers.CharField()
    ProductCode = serializers.CharField()
    Quantity = serializers.CharField()
    UnitPrice = serializers.CharField(required=False, allow_null=True)
    ListPrice = serializers.CharField(required=False, allow_null=True)
    Discount = serializers.CharField(required=False, allow_null=True)
    TotalPrice = serializers.CharField(required=False, allow_null=True)
    ServiceDate = serializers.DateField(required=False, allow_null=True)
    End_Date__c = serializers.DateField(required=False, allow_null=True)
    Description = serializers.CharField(required=False, allow_null=True)


class LineItemsIn(serializers.Serializer[Any]):
    """The related list, as a query with a sub-select answers it."""

    records = LineItemIn(many=True)


class OpportunityIn(serializers.Serializer[Any]):
    """A closed-won Opportunity with its Account and line items. Documentation: the mapping checks the
    content.
    """

    Id = serializers.CharField()
    Name = serializers.CharField()
    StageName = serializers.CharField()
    IsWon = serializers.BooleanField()
    CloseDate = serializers.DateField()
    CurrencyIsoCode = serializers.CharField()
    Amount = serializers.CharField(required=False, allow_null=True)
    Contract_Start_Date__c = serializers.DateField(required=False, allow_null=True)
    Contract_End_Date__c = serializers.DateField(required=False, allow_null=True, help_text="The last day.")
    Term_Months__c = serializers.IntegerField(required=False, allow_null=True)
    Total_Contract_Value__c = serializers.CharField(required=False, allow_null=True)
    PO_Number__c = serializers.CharField(required=False, allow_null=True)
    Payment_Terms__c = serializers.CharField(required=False, allow_null=True, help_text="Net 30")
    Billing_Frequency__c = serializers.CharField(required=False, allow_null=True, help_text="Annual")
    Account = AccountIn()
    OpportunityLineItems = LineItemsIn()
