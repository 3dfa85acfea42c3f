"""Credit that nobody paid for: one approver up to a limit, beyond it somebody else asks."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from o2c.controls.approvals.declaring import bands, step
from o2c.controls.approvals.registry import Act, in_functional

_GIVEN = "(SELECT min(h.history_date) FROM billing_historicalgrant h WHERE h.id = {0}.id)"

# Several small gifts are one large one: what the customer was given within a year before, unasked.
_BEFORE = f"""(SELECT coalesce(sum({
    in_functional("y.granted", "y.currency", "e.currency", "y.starts_on")
}::numeric), 0)
    FROM billing_grant y WHERE y.customer_id = g.customer_id AND y.entity_id = g.entity_id AND y.id < g.id
      AND y.origin = 'promotional' AND {_GIVEN.format("y")} > {_GIVEN.format("g")} - interval '1 year'
      AND NOT EXISTS (SELECT FROM approvals_request q WHERE q.act = 'billing.grant.promote'
                        AND q.result_id = y.id AND q.state = 'committed'))"""

GRANT_FACTS = f"""
SELECT jsonb_build_object(
  'amount', ({in_functional("g.granted", "g.currency", "e.currency", "g.starts_on")}::numeric + {
    _BEFORE
})::text,
  'before', {_BEFORE}::text,
  'functional_currency', e.currency, 'granted', g.granted::text, 'currency', g.currency,
  'customer', c.number || ' ' || c.name, 'order', coalesce(o.number, 'every order'),
  'starts_on', g.starts_on::text, 'ends_on', coalesce(g.ends_on::text, 'no end'), 'scope', g.scope)
FROM billing_grant g JOIN ledger_legalentity e ON e.id = g.entity_id
JOIN orders_customer c ON c.id = g.customer_id LEFT JOIN orders_order o ON o.id = g.order_id
WHERE g.id = $1
"""

ACTS = [
    Act(
        code="billing.grant.promote",
        label="Give promotional credit",
        model="orders.Customer",
        service="billing.services.requests.promote_customer",
        duty="billing.grant.propose",
        does="billing.grant.promote",
        facts=GRANT_FACTS,
        table="billing_grant",
        reached="{row}.origin = 'promotional'",
        proposes=True,
        parameters={
            "amount": Decimal,
            "starts_on": dt.date.fromisoformat,
            "ends_on": dt.date.fromisoformat,
            "priority": int,
        },
        labels={
            "amount": "Amount in functional currency",
            "functional_currency": "Functional currency",
            "granted": "Credit",
            "before": "Given within a year before, without a request",
            "currency": "Currency",
            "customer": "Customer",
            "order": "Pays for",
            "starts_on": "Good from",
            "ends_on": "Good until",
            "scope": "Narrowed to",
        },
        form="billing.admin.forms.PromotionForm",
    )
]

_WATCHES = (("amount", "up"), ("customer", "change"), ("order", "change"), ("ends_on", "change"))

POLICIES: dict[str, dict[str, Any]] = {
    "billing.grant.promote": {
        "title": "Promotional credit by amount",
        "clause": (
            "An approver gives a customer up to 1,000 of credit in a year, with the reason. Above, somebody"
            " else asks and the approver decides with its value in front of them; above 25,000 the"
            " controller too. Free periods at signing are discounts of 100 percent and follow the rules"
            " of quotes."
        ),
        "bands": bands("amount", ("1000", ()), ("25000", ("approver",)), (None, ("approver", "controller"))),
        "steps": [
            step("approver", "Approver", "billing.grant.promote", *_WATCHES),
            step("controller", "Controller", "billing.credit.approve_large", *_WATCHES),
        ],
    }
}
