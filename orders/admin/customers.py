"""Customers and the people there."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from o2c.console import Act, Fact, Panel, RecordAdmin
from o2c.console import format as fmt
from o2c.console.registry import Anchor
from o2c.controls.approvals.admin.asking import propose_act
from orders.admin import credit
from orders.admin.forms import ContactForm, credit_terms_form, identity_form
from orders.models import Contact, Customer, Order, Quote, TaxRegistration

BILL_TO = [
    "bill_to_name",
    "bill_to_line1",
    "bill_to_line2",
    "bill_to_city",
    "bill_to_region",
    "bill_to_postal_code",
    "bill_to_country",
    "billing_email",
]


@admin.register(Customer)
class CustomerAdmin(RecordAdmin):
    area, icon, nav_position = "Orders", "apartment", 10
    list_display = ["number", "name", "entity", "currency", "country", "payment_terms_days", "state"]
    list_select_related = ["entity"]
    list_filter = ["state", "entity", "currency"]
    search_fields = ["number", "name", "legal_name", "tax_id", "salesforce_id", "billing_email"]
    find_fields = ["number", "*name", "tax_id", "=salesforce_id", "billing_email"]
    fieldsets = [
        (
            "Identity",
            {"fields": ["legal_name", "country", "region", "tax_id", "tax_exempt", "salesforce_id"]},
        ),
        ("Bill to", {"fields": BILL_TO}),
        ("Terms", {"fields": ["payment_terms_days", "time_zone", "consolidate_invoices"]}),
    ]
    editable_fields = ["name", "consolidate_invoices"]
    edit_duty = "orders.customer.maintain"
    transition_options = {"deactivate": {"reason": "required", "danger": True}}
    acts = [
        Act(
            "add_contact",
            "Add contact…",
            "orders.services.customers.add_contact",
            duty="orders.customer.maintain",
            form=ContactForm,
            follow=False,
        ),
        Act(
            "change_terms",
            "Payment terms and tax…",
            "orders.services.customers.change_terms",
            duty="orders.customer.maintain",
            form=credit_terms_form,
            description="Terms beyond 60 days and an exemption from tax are asked for instead.",
        ),
        propose_act(
            "orders.customer.change_terms",
            "ask_change_terms",
            "Ask for other terms…",
            "orders.services.customers.ask_change_terms",
            lambda customer, user: [],
            credit_terms_form,
        ),
        Act(
            "change_identity",
            "Whom and where we bill…",
            "orders.services.customers.change_identity",
            duty="orders.customer.maintain",
            form=identity_form,
            description="Once a customer has had an active order it is asked for instead.",
        ),
        propose_act(
            "orders.customer.change_identity",
            "ask_change_identity",
            "Ask to bill somebody else or elsewhere…",
            "orders.services.customers.ask_change_identity",
            lambda customer, user: [],
            identity_form,
        ),
        *credit.CUSTOMER_ACTS,
    ]
    empty_text = "No customer yet. Salesforce sends them (PUT /api/v1/customers/salesforce/…)."

    def facts(self, obj: Customer) -> list[Fact]:
        return [
            Fact("Entity", obj.entity),
            Fact("Currency", obj.currency),
            Fact("Tax id", obj.tax_id),
            Fact("Terms", f"{obj.payment_terms_days} days"),
            Fact("Invoices to", obj.billing_email),
            *credit.customer_facts(obj),
        ]

    def notices(self, obj: Customer) -> list[tuple[str, str]]:
        return credit.customer_notices(obj)

    def panels(self, obj: Customer) -> list[Panel]:
        return [
            Panel(
                "Orders",
                obj.orders.all(),
                ["number", "title", "state", "starts_on", "ends_on"],
                href=fmt.list_url(Order, customer__id__exact=obj.pk),
                empty="No order yet.",
            ),
            Panel(
                "Quotes",
                obj.quotes.all(),
                ["number", "version", "title", "state", "valid_until"],
                href=fmt.list_url(Quote, customer__id__exact=obj.pk),
                empty="No quote yet.",
            ),
            *credit.customer_panels(obj),
            Panel(
                "Contacts",
                obj.contacts.all(),
                ["name", "email", "kind"],
                link_rows=False,
                empty="Nobody yet. Invoices need a billing contact or address.",
            ),
            Panel(
                "Tax registrations",
                obj.tax_registrations.all(),
                ["country", "number"],
                link_rows=False,
                empty="None beside the tax id above.",
            ),
        ]

    def strip_anchor(self, obj: Customer) -> Anchor:
        return Anchor("customer", (obj.pk,))

    def timeline_related(self, obj: Customer) -> list[tuple[str, Any]]:
        return [
            ("Contact", Contact.history.filter(customer_id=obj.pk)),
            ("Tax registration", TaxRegistration.history.filter(customer_id=obj.pk)),
        ]
