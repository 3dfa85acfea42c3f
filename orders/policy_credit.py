"""Credit under approval: limits that rise, checks that are switched off, orders that are let through."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from o2c.controls.approvals.declaring import bands, rule, step
from o2c.controls.approvals.registry import Act, Lineage, in_functional
from orders.policy_orders import NOT_STANDARD

# By how much a decision raises the limit: against the lowest that was in force in the last 90 days, so that
# many small raises count as the one that they are. A customer of before credit limits was never checked.
LIMIT_FACTS = f"""
SELECT jsonb_build_object(
  'customer', c.number || ' ' || c.name, 'currency', c.currency, 'functional_currency', e.currency,
  'limit', coalesce(n.amount::text, 'not checked'), 'before', coalesce(was.amount::text, 'not checked'),
  'amount', CASE WHEN up.amount = 0 THEN '0'
            ELSE {in_functional("up.amount", "c.currency", "e.currency", "n.recorded_at::date")} END,
  'raised', up.amount::text, 'review_on', coalesce(n.review_on::text, 'none'), 'held', n.held::text,
  'check_off', (n.amount IS NULL AND was.amount IS NOT NULL)::text,
  'lifts_hold', (was.held AND NOT n.held)::text)
FROM orders_creditlimit n JOIN orders_customer c ON c.id = n.customer_id
JOIN ledger_legalentity e ON e.id = c.entity_id
LEFT JOIN LATERAL (
  SELECT x.* FROM orders_creditlimit x WHERE x.customer_id = c.id AND x.id < n.id
  ORDER BY x.id DESC LIMIT 1) b ON true
LEFT JOIN LATERAL (
  SELECT x.amount FROM orders_creditlimit x
  WHERE x.customer_id IS NULL AND x.currency = c.currency AND x.id < n.id
  ORDER BY x.id DESC LIMIT 1) s ON true
LEFT JOIN LATERAL (
  SELECT x.id FROM orders_creditlimit x WHERE x.customer_id = c.id AND x.id < n.id
    AND (x.shipped OR x.recorded_at < n.recorded_at - interval '90 days') ORDER BY x.id DESC LIMIT 1) old
  ON true
CROSS JOIN LATERAL (SELECT CASE WHEN b.id IS NULL THEN coalesce(s.amount, 0) ELSE b.amount END AS amount,
                           coalesce(b.held, false) AS held) was
CROSS JOIN LATERAL (SELECT least(
    (SELECT min(x.amount) FROM orders_creditlimit x WHERE x.customer_id = c.id AND x.id < n.id
       AND x.id >= coalesce(old.id, 0)),
    CASE WHEN old.id IS NULL THEN coalesce(s.amount, 0) END) AS amount) low
CROSS JOIN LATERAL (SELECT CASE WHEN n.amount > was.amount THEN n.amount - coalesce(low.amount, was.amount)
                           ELSE 0 END AS amount) up
WHERE n.id = $1
"""

RELEASE_FACTS = f"""
SELECT jsonb_build_object(
  'order', o.number, 'customer', c.number || ' ' || c.name, 'currency', c.currency,
  'functional_currency', e.currency, 'limit', coalesce(l.amount::text, 'not checked'),
  'exposure', r.exposure::text, 'covers', r.covers::text, 'over', up.amount::text,
  'amount', CASE WHEN up.amount = 0 THEN '0'
            ELSE {in_functional("up.amount", "c.currency", "e.currency", "r.recorded_at::date")} END,
  'held', coalesce(l.held, false)::text)
FROM orders_creditrelease r JOIN orders_order o ON o.id = r.order_id
JOIN orders_customer c ON c.id = o.customer_id JOIN ledger_legalentity e ON e.id = c.entity_id
LEFT JOIN orders_creditlimit l ON l.id = r.decision_id
CROSS JOIN LATERAL (SELECT CASE WHEN l.id IS NOT NULL AND l.amount IS NULL THEN 0
                           ELSE greatest(r.covers - coalesce(l.amount, 0), 0) END AS amount) up
WHERE r.id = $1
"""

LIMIT_PARAMETERS: dict[str, Callable[[str], Any]] = {
    "amount": lambda text: Decimal(text) if text else None,
    "review_on": lambda text: dt.date.fromisoformat(text) if text else None,
    "held": lambda text: text == "true",
}
_MONEY = {"functional_currency": "Functional currency", "currency": "Currency", "customer": "Customer"}

ACTS = [
    Act(
        code="orders.customer.change_credit",
        label="Decide a customer's credit limit or hold",
        model="orders.Customer",
        service="orders.services.credit.change",
        duty="orders.customer.change_credit",
        does="orders.customer.change_credit",
        runs_as="maker",
        facts=LIMIT_FACTS,
        table="orders_creditlimit",
        reached="{row}.customer_id IS NOT NULL AND NOT {row}.shipped",
        proposes=True,
        parameters=LIMIT_PARAMETERS,
        labels={
            **_MONEY,
            "amount": "Raised by, functional currency",
            "raised": "Raised by, all raises of 90 days",
            "limit": "Limit",
            "before": "Limit before",
            "review_on": "To be reviewed",
            "held": "On hold",
            "check_off": "Switches the check off",
            "lifts_hold": "Lifts a hold",
        },
    ),
    Act(
        code="orders.order.release_credit",
        label="Release an order from credit hold",
        model="orders.Order",
        service="orders.services.credit.release",
        duty="orders.order.release_credit",
        does="orders.order.release_credit",
        runs_as="maker",
        facts=RELEASE_FACTS,
        table="orders_creditrelease",
        proposes=True,
        lineage=(
            Lineage(
                "orders.Order",
                "h.id = $1",
                ("starts_on", "ends_on", "signed_on", "payment_terms_days", "quote_id", *NOT_STANDARD),
            ),
            Lineage(
                "orders.Segment",
                "h.line_id IN (SELECT l.id FROM orders_orderline l WHERE l.order_id = $1)",
                ("quantity", "price_id", "price_override", "discount_percent"),
            ),
            Lineage("orders.Amendment", "h.order_id = $1", ("effective_on", "changes")),
        ),
        labels={
            **_MONEY,
            "order": "Order",
            "amount": "Over the limit, functional currency",
            "over": "Over the limit",
            "limit": "Limit",
            "exposure": "Exposure before",
            "covers": "Exposure with the order",
            "held": "Customer on hold",
        },
    ),
]

_BOTH = ("approver", "controller")

POLICIES: dict[str, dict[str, Any]] = {
    "orders.customer.change_credit": {
        "title": "Credit limits and holds",
        "clause": (
            "Credit management raises a limit by up to 100,000 in functional currency within 90 days, lowers"
            " it and places holds alone (S02, S03). A raise above, and the end of a hold, is also decided by"
            " an approver; above 1 million by the controller too. A check is switched off by the controller"
            " only (S15)."
        ),
        "bands": bands("amount", ("100000", ()), ("1000000", ("approver",)), (None, _BOTH)),
        "rules": [
            rule("check_off", "Switches the credit check off", ("controller",), ("check_off", "=", "true")),
            rule("lifts_hold", "Lifts a hold", ("approver",), ("lifts_hold", "=", "true")),
        ],
        "steps": [
            step(
                "approver", "Approver", "orders.credit.approve",
                ("amount", "up"), ("lifts_hold", "change"), ("review_on", "change"),
            ),
            step(
                "controller", "Controller", "orders.credit.approve_large",
                ("amount", "up"), ("check_off", "change"),
            ),
        ],
    },
    "orders.order.release_credit": {
        "title": "Orders released from credit hold",
        "clause": (
            "Credit management lets an order go ahead that takes its customer up to 25,000 in functional"
            " currency over the limit, and never one that they entered or changed (S14). Above, and for a"
            " customer on hold, an approver decides too; above 250,000 the controller as well."
        ),
        "bands": bands("amount", ("25000", ()), ("250000", ("approver",)), (None, _BOTH)),
        "rules": [rule("held", "The customer is on hold", ("approver",), ("held", "=", "true"))],
        "steps": [
            step(
                "approver", "Approver", "orders.credit.approve",
                ("amount", "up"), ("covers", "up"), ("held", "change"),
            ),
            step("controller", "Controller", "orders.credit.approve_large", ("amount", "up")),
        ],
    },
}  # fmt: skip
