"""Who buys: customers, the people there, and the tax registrations that appear on their invoices."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from o2c.money import CurrencyField
from o2c.records import Record
from o2c.states import StateField, StateMachine, transition


class Customer(StateMachine, Record):
    """A company that buys from one of our legal entities, in one currency.

    Invoices copy name, address and tax id when they are issued; a later change here never alters a document.
    """

    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        INACTIVE = "inactive", "Inactive"

    number = models.CharField(max_length=20, unique=True, help_text='"C-000001"')
    name = models.CharField(max_length=200)
    legal_name = models.CharField(max_length=200)
    entity = models.ForeignKey("ledger.LegalEntity", on_delete=models.PROTECT, related_name="customers")
    currency = CurrencyField()
    country = models.CharField(max_length=2, help_text="ISO 3166-1 alpha-2")
    region = models.CharField(max_length=50, blank=True, default="", help_text="state or province, for tax")
    tax_id = models.CharField(
        max_length=40, blank=True, default="", help_text="shown on invoices, compact form"
    )
    tax_exempt = models.BooleanField(default=False)
    payment_terms_days = models.PositiveSmallIntegerField(default=30)
    bill_to_name = models.CharField(max_length=200, blank=True, default="")
    bill_to_line1 = models.CharField(max_length=200, blank=True, default="")
    bill_to_line2 = models.CharField(max_length=200, blank=True, default="")
    bill_to_city = models.CharField(max_length=100, blank=True, default="")
    bill_to_region = models.CharField(max_length=50, blank=True, default="")
    bill_to_postal_code = models.CharField(max_length=20, blank=True, default="")
    bill_to_country = models.CharField(max_length=2, blank=True, default="")
    billing_email = models.EmailField(blank=True, default="")
    time_zone = models.CharField(max_length=64, default="UTC", help_text="IANA name")
    salesforce_id = models.CharField(
        max_length=18, unique=True, null=True, blank=True, help_text="18-character Id"
    )
    consolidate_invoices = models.BooleanField(default=False, help_text="one invoice for all orders of a run")
    state = StateField(choices=State.choices, default=State.ACTIVE)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(name=""),
                name="orders_customer_named",
                violation_error_message="A customer has a name.",
            ),
            models.CheckConstraint(
                condition=Q(country__regex=r"^[A-Z]{2}$"),
                name="orders_customer_country",
                violation_error_message="The country is a code of two letters, such as IE.",
            ),
            models.CheckConstraint(
                condition=Q(currency__regex=r"^[A-Z]{3}$"),
                name="orders_customer_currency",
                violation_error_message="The currency is a code of three letters, such as EUR.",
            ),
        ]

    class Guards:
        immutable = ["number", "entity", "currency"]
        no_delete = True

    def __str__(self) -> str:
        return f"{self.number} {self.name}"

    @transition(
        state,
        source=State.ACTIVE,
        target=State.INACTIVE,
        duty="orders.customer.deactivate",
        service="orders.services.customers.deactivate",
        label="Deactivate",
    )
    def deactivate(self) -> None:
        """No new quotes or orders; running contracts are billed to their end."""

    @transition(
        state,
        source=State.INACTIVE,
        target=State.ACTIVE,
        duty="orders.customer.reactivate",
        service="orders.services.customers.reactivate",
        label="Reactivate",
    )
    def reactivate(self) -> None:
        """Take the customer back into business."""


class Contact(Record):
    """A person at the customer, by what we write to them about."""

    class Kind(models.TextChoices):
        BILLING = "billing", "Billing"
        COMMERCIAL = "commercial", "Commercial"
        TECHNICAL = "technical", "Technical"
        LEGAL = "legal", "Legal"

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="contacts")
    name = models.CharField(max_length=200)
    email = models.EmailField()
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.BILLING)

    class Meta:
        ordering = ["customer_id", "kind", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "email", "kind"],
                name="orders_contact_once",
                violation_error_message="This person is a contact of this kind already.",
            ),
        ]

    class Guards:
        immutable = ["customer"]

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"


class TaxRegistration(Record):
    """A further tax number of the customer, for buyers registered in several countries.

    The number printed on an invoice is `Customer.tax_id` unless a registration for the country of taxation
    exists.
    """

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="tax_registrations")
    country = models.CharField(max_length=2, help_text="ISO 3166-1 alpha-2 of the authority")
    number = models.CharField(
        max_length=40, help_text="compact form, check digits verified where the country has them"
    )

    class Meta:
        ordering = ["customer_id", "country"]
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "country"],
                name="orders_taxregistration_per_country",
                violation_error_message="The customer has a tax number of this country already.",
            ),
        ]

    class Guards:
        immutable = ["customer", "country"]

    def __str__(self) -> str:
        return f"{self.country} {self.number}"
