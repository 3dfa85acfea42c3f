"""Master data under approval: list prices that fall, customers who pay later or without tax."""

from __future__ import annotations

from typing import Any

from o2c.controls.approvals.declaring import rule, step
from o2c.controls.approvals.registry import Act, Lineage

# The number of a price that has one: flat, per unit. Of others only 'another structure' can be said.
_NUMBER = "coalesce({0}.spec->>'unit_amount', {0}.spec->>'amount')::numeric"

PRICE_FACTS = f"""
SELECT jsonb_build_object(
  'sku', s.code || ' ' || s.name, 'currency', p.currency, 'price', p.spec, 'period', p.period,
  'effective_from', p.effective_from::text, 'before', coalesce(b.spec, '{{}}'),
  'new_structure', (b.id IS NOT NULL AND p.spec <> b.spec
      AND NOT coalesce(p.spec->>'model' = b.spec->>'model' AND p.spec->>'model' IN ('flat', 'per_unit')
                       AND p.period = b.period, false))::text,
  'cut_percent', coalesce(CASE WHEN p.spec->>'model' = b.spec->>'model' AND p.period = b.period
      AND {_NUMBER.format("b")} > 0
      THEN round(greatest(1 - {_NUMBER.format("p")} / {_NUMBER.format("b")}, 0) * 100, 4) END, 0)::text)
FROM orders_price p JOIN orders_sku s ON s.id = p.sku_id
LEFT JOIN LATERAL (
  SELECT x.* FROM orders_price x WHERE x.sku_id = p.sku_id AND x.currency = p.currency AND x.id <> p.id
    AND x.state = 'active' AND x.effective_from < p.effective_from
  ORDER BY x.effective_from DESC LIMIT 1) b ON true
WHERE p.id = $1
"""

CUSTOMER_FACTS = """
SELECT jsonb_build_object(
  'customer', c.number || ' ' || c.name, 'payment_terms_days', c.payment_terms_days::text,
  'tax_exempt', c.tax_exempt::text, 'country', c.country)
FROM orders_customer c WHERE c.id = $1
"""

# Who is billed, where it is sent, and which tax it bears. Of a customer who ever had an active order these
# decide where money is asked for; of any other they are a draft.
IDENTITY = (
    "legal_name",
    "tax_id",
    "country",
    "region",
    "billing_email",
    "bill_to_name",
    "bill_to_line1",
    "bill_to_line2",
    "bill_to_city",
    "bill_to_region",
    "bill_to_postal_code",
    "bill_to_country",
)

IDENTITY_FACTS = f"""
SELECT jsonb_build_object(
  'customer', c.number || ' ' || c.name, {", ".join(f"'{name}', c.{name}" for name in IDENTITY)},
  'in_business', EXISTS (SELECT 1 FROM orders_order o
                         WHERE o.customer_id = c.id AND o.activated_on IS NOT NULL)::text)
FROM orders_customer c WHERE c.id = $1
"""

# Days of credit that a new customer may begin with unseen.
USUAL_TERMS = 30
CREDIT_TERMS = ("payment_terms_days", "tax_exempt")


def _yes(text: str) -> bool:
    return text == "true"


ACTS = [
    Act(
        code="orders.price.activate",
        label="Make a list price valid",
        model="orders.Price",
        service="orders.services.catalogue.activate_price",
        duty="orders.price.activate",
        does="orders.price.activate",
        runs_as="maker",
        facts=PRICE_FACTS,
        table="orders_price",
        reached="{row}.state = 'active'",
        lineage=(Lineage("orders.Price", "h.id = $1", ("spec", "period", "effective_from", "currency")),),
        amount="",
        labels={
            "sku": "SKU",
            "currency": "Currency",
            "price": "Price",
            "before": "Price before",
            "cut_percent": "Lower by, percent",
            "new_structure": "Another structure",
            "period": "Paid for",
            "effective_from": "Valid from",
        },
    ),
    Act(
        code="orders.customer.change_terms",
        label="Change a customer's payment terms or tax exemption",
        model="orders.Customer",
        service="orders.services.customers.change_terms",
        duty="orders.customer.maintain",
        does="orders.customer.maintain",
        runs_as="maker",
        facts=CUSTOMER_FACTS,
        table="orders_customer",
        changes=CREDIT_TERMS,
        born=f"{{row}}.tax_exempt OR {{row}}.payment_terms_days > {USUAL_TERMS}",
        proposes=True,
        parameters={"payment_terms_days": int, "tax_exempt": _yes},
        amount="",
        labels={
            "customer": "Customer",
            "payment_terms_days": "Payment terms, days",
            "tax_exempt": "Exempt from tax",
            "country": "Country",
        },
    ),
    Act(
        code="orders.customer.change_identity",
        label="Change whom and where we bill",
        model="orders.Customer",
        service="orders.services.customers.change_identity",
        duty="orders.customer.maintain",
        does="orders.customer.maintain",
        runs_as="maker",
        facts=IDENTITY_FACTS,
        table="orders_customer",
        changes=IDENTITY,
        proposes=True,
        amount="",
        labels={
            "customer": "Customer",
            "legal_name": "Legal name",
            "tax_id": "Tax id",
            "country": "Country",
            "region": "Region",
            "billing_email": "Invoices to",
            "bill_to_name": "Bill to",
            "bill_to_line1": "Address",
            "bill_to_line2": "Address, second line",
            "bill_to_city": "City",
            "bill_to_region": "Region of the address",
            "bill_to_postal_code": "Postal code",
            "bill_to_country": "Country of the address",
            "in_business": "Has or had an active order",
        },
    ),
]

_BOTH = ("approver", "controller")

POLICIES: dict[str, dict[str, Any]] = {
    "orders.price.activate": {
        "title": "List prices",
        "clause": (
            "Who drafted a price does not make it valid (S08). One that is more than 10 percent"
            " lower than the"
            " price before it, or of another structure, is also decided by an approver: a low list price is a"
            " discount that no discount rule ever sees."
        ),
        "rules": [
            rule("cut", "More than 10 percent lower than before", ("approver",), ("cut_percent", ">", "10")),
            rule(
                "structure",
                "Another structure than the price before it",
                ("approver",),
                ("new_structure", "=", "true"),
            ),
        ],
        "steps": [
            step(
                "approver",
                "Approver",
                "orders.quote.approve",
                ("cut_percent", "up"),
                ("price", "change"),
                ("period", "change"),
                ("effective_from", "change"),
            )
        ],
    },
    "orders.customer.change_identity": {
        "title": "Whom and where we bill",
        "clause": (
            "Legal name, tax id, country, billing address and the address that invoices go to are changed by"
            " who keeps customers. Once a customer has had an active order, somebody who does not keep"
            " customers decides (S04, S05): a changed payer is how fictitious sales and diverted invoices"
            " begin."
        ),
        "rules": [
            rule("in_business", "Has or had an active order", ("approver",), ("in_business", "=", "true"))
        ],
        "steps": [
            step("approver", "Approver", "orders.quote.approve", *((name, "change") for name in IDENTITY))
        ],
    },
    "orders.customer.change_terms": {
        "title": "Payment terms and tax exemption of customers",
        "clause": (
            "Terms beyond 60 days, and an exemption from tax, also of a new customer, are decided by"
            " somebody who does not keep customers; terms beyond 90 days by the controller too (S02, S41)."
        ),
        "rules": [
            rule("terms", "Payment terms beyond 60 days", ("approver",), ("payment_terms_days", ">", "60")),
            rule("long_terms", "Payment terms beyond 90 days", _BOTH, ("payment_terms_days", ">", "90")),
            rule("exempt", "Exempt from tax", ("approver",), ("tax_exempt", "=", "true")),
        ],
        "steps": [
            step(
                "approver",
                "Approver",
                "orders.quote.approve",
                ("payment_terms_days", "up"),
                ("tax_exempt", "change"),
            ),
            step("controller", "Controller", "orders.quote.approve_exception", ("payment_terms_days", "up")),
        ],
    },
}
