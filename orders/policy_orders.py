"""Contracts under approval: activating an order that is not standard, ending one that is active.

An order from an approved quote is asked about what goes beyond that quote; one that was entered without a
quote is asked about all of it. What a transfer opened was decided with the transfer.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from o2c.controls.approvals.declaring import bands, rule, step
from o2c.controls.approvals.registry import Act, Lineage, in_functional
from orders.policy_margins import MARGINS, margin_at

NOT_STANDARD = ("termination_notice_days", "acceptance_days", "most_favoured_price", "side_letter")


def closed_before(history: str, row: str, state: str) -> str:
    """SQL: month m was closed before this row reached its state, or is, when it has not yet."""
    return f"""(SELECT max(h.history_date) FROM ledger_historicalaccountingperiod h
      WHERE h.id = m.id AND h.state = 'closed') < coalesce((
      SELECT min(h.history_date) FROM {history} h WHERE h.id = {row} AND h.state = '{state}'), 'infinity')"""


_BEYOND_QUOTE = """
CASE WHEN a.id IS NOT NULL OR coalesce(q.{0} IS NOT DISTINCT FROM o.{0}, false) THEN {1} ELSE {2} END"""


def _declared(column: str, empty: str) -> str:
    """SQL of 1 when the order says a term that is not standard and that no approved quote says."""
    return _BEYOND_QUOTE.format(column, "0", f"(o.{column} IS DISTINCT FROM {empty})::int")


# What was signed when is typed by whoever enters the order; when it was entered, and which months are closed
# by then, is not.
_ENTERED = "(SELECT min(h.history_date)::date FROM orders_historicalorder h WHERE h.id = o.id)"

ORDER_FACTS = f"""
SELECT jsonb_build_object(
  'customer', c.number || ' ' || c.name, 'number', o.number, 'currency', o.currency,
  'quote', coalesce(q.number || ' v' || q.version, ''), 'starts_on', o.starts_on::text,
  'ends_on', coalesce(o.ends_on::text, 'open'), 'signed_on', coalesce(o.signed_on::text, ''),
  'days_back', CASE WHEN a.id IS NULL THEN greatest(o.signed_on - o.starts_on, 0) ELSE 0 END::text,
  'entered_on', {_ENTERED}::text,
  'days_late', CASE WHEN a.id IS NULL THEN greatest({_ENTERED} - o.starts_on, 0) ELSE 0 END::text,
  'closed_months', CASE WHEN a.id IS NULL THEN (
      SELECT count(*) FROM ledger_accountingperiod m WHERE m.entity_id = o.entity_id AND m.state = 'closed'
        AND m.ends_on > o.starts_on AND
        {closed_before("orders_historicalorder", "o.id", "active")}) ELSE 0 END::text,
  'payment_terms_days', CASE WHEN a.id IS NOT NULL OR o.payment_terms_days <= q.payment_terms_days THEN 0
                        ELSE o.payment_terms_days END::text,
  'max_discount', CASE WHEN a.id IS NOT NULL THEN 0 ELSE coalesce((
      SELECT max(s.discount_percent) FROM orders_segment s JOIN orders_orderline l ON l.id = s.line_id
      WHERE l.order_id = o.id AND s.opened_by_id IS NULL AND NOT EXISTS (
        SELECT 1 FROM orders_quoteline k WHERE k.quote_id = q.id AND k.sku_id = l.sku_id
          AND k.discount_percent >= s.discount_percent)), 0) END::text,
  'min_margin', CASE WHEN a.id IS NOT NULL THEN 100 ELSE coalesce((
      SELECT min({margin_at("s.discount_percent", "k.cost_percent")})
      FROM orders_segment s JOIN orders_orderline l ON l.id = s.line_id JOIN orders_sku k ON k.id = l.sku_id
      WHERE l.order_id = o.id AND s.opened_by_id IS NULL AND s.price_override IS NULL
        AND k.cost_percent IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM orders_quoteline x WHERE x.quote_id = q.id AND x.sku_id = l.sku_id
          AND x.discount_percent >= s.discount_percent)), 100) END::text,
  'overrides', CASE WHEN a.id IS NOT NULL THEN 0 ELSE (
      SELECT count(*) FROM orders_segment s JOIN orders_orderline l ON l.id = s.line_id
      WHERE l.order_id = o.id AND s.opened_by_id IS NULL AND s.price_override IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM orders_quoteline k WHERE k.quote_id = q.id AND k.sku_id = l.sku_id
          AND k.override_spec = s.price_override)) END::text,
  'not_standard', ({_declared("termination_notice_days", "NULL")} + {_declared("acceptance_days", "NULL")}
      + {_declared("most_favoured_price", "false")} + {_declared("side_letter", "''")})::text,
  'termination_notice_days', coalesce(o.termination_notice_days::text, 'none'),
  'acceptance_days', coalesce(o.acceptance_days::text, 'none'),
  'most_favoured_price', o.most_favoured_price::text, 'side_letter', o.side_letter)
FROM orders_order o JOIN orders_customer c ON c.id = o.customer_id
LEFT JOIN orders_quote q ON q.id = o.quote_id AND q.state = 'accepted'
LEFT JOIN orders_amendment a ON a.id = o.opened_by_id AND a.kind = 'transfer' AND a.state = 'applied'
WHERE o.id = $1
"""

CANCEL_FACTS = f"""
SELECT jsonb_build_object(
  'amount', {
    in_functional(
        "greatest(coalesce(a.value_before - a.value_after, 0), 0)",
        "o.currency",
        "e.currency",
        "a.effective_on",
    )
},
  'functional_currency', e.currency, 'given_up', coalesce(a.value_before - a.value_after, 0)::text,
  'currency', o.currency, 'order', o.number, 'customer', c.number || ' ' || c.name,
  'effective_on', a.effective_on::text, 'mode', coalesce(a.changes->>'mode', ''), 'reason', a.reason)
FROM orders_amendment a JOIN orders_order o ON o.id = a.order_id
JOIN ledger_legalentity e ON e.id = o.entity_id JOIN orders_customer c ON c.id = o.customer_id
WHERE a.id = $1
"""

ACTS = [
    Act(
        code="orders.order.activate",
        label="Activate an order that is not standard",
        model="orders.Order",
        service="orders.services.orders.activate",
        duty="orders.order.activate",
        does="orders.order.activate",
        runs_as="maker",
        facts=ORDER_FACTS,
        table="orders_order",
        reached="{row}.state IN ('active', 'completed')",
        parameters={"as_of": dt.date.fromisoformat},
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
        ),
        amount="",
        labels={
            "customer": "Customer",
            "number": "Order",
            "quote": "Approved quote",
            "currency": "Currency",
            "signed_on": "Signed",
            "starts_on": "Starts",
            "ends_on": "Ends",
            "days_back": "Starts before it was signed, days",
            "entered_on": "Entered",
            "days_late": "Starts before it was entered, days",
            "closed_months": "Closed months that it reaches into",
            "payment_terms_days": "Payment terms beyond the quote, days",
            "max_discount": "Highest discount beyond the quote, percent",
            "min_margin": "Lowest margin beyond the quote, percent (100: no cost is known)",
            "overrides": "Prices of its own beyond the quote",
            "not_standard": "Terms that are not standard",
            "termination_notice_days": "Early termination, days of notice",
            "acceptance_days": "Acceptance, days",
            "most_favoured_price": "Most-favoured price",
            "side_letter": "Side letter",
        },
    ),
    Act(
        code="orders.amendment.cancel",
        label="Cancel an active order",
        model="orders.Amendment",
        service="orders.services.amendments.apply",
        duty="orders.amendment.apply",
        does="orders.amendment.apply",
        runs_as="maker",
        facts=CANCEL_FACTS,
        table="orders_amendment",
        reached="{row}.kind = 'cancel' AND {row}.state = 'applied'",
        parameters={"as_of": dt.date.fromisoformat},
        lineage=(Lineage("orders.Amendment", "h.id = $1", ("effective_on", "changes", "effect_digest")),),
        labels={
            "amount": "Value given up, functional currency",
            "functional_currency": "Functional currency",
            "given_up": "Value given up",
            "currency": "Currency",
            "order": "Order",
            "customer": "Customer",
            "effective_on": "Ends on",
            "mode": "How",
            "reason": "Reason of the customer",
        },
    ),
]

_EVERYBODY = ("approver", "controller")
_TERMS = tuple((name, "change") for name in NOT_STANDARD)

POLICIES: dict[str, dict[str, Any]] = {
    "orders.order.activate": {
        "title": "Orders that are not standard",
        "clause": (
            "An approver decides about an order that starts more than 31 days before it was signed or in a"
            " month that is closed, gives more than its approved quote (a discount above 20 percent, a margin"
            " below 40 percent, a price of its own, payment terms beyond 60 days), or says an early"
            " termination, an acceptance, a most-favoured price or a side letter. The controller too: beyond"
            " 92 days, beyond three closed months, above 40 percent, a margin below 15 percent, beyond 90"
            " days, and for any such term."
        ),
        "bands": bands("max_discount", ("20", ()), ("40", ("approver",)), (None, _EVERYBODY)),
        "rules": [
            *MARGINS,
            rule(
                "backdated",
                "Starts more than 31 days before it was signed",
                ("approver",),
                ("days_back", ">", "31"),
            ),
            rule(
                "far_back",
                "Starts more than 92 days before it was signed",
                _EVERYBODY,
                ("days_back", ">", "92"),
            ),
            rule("closed", "Starts in a closed month", ("approver",), ("closed_months", ">", "0")),
            rule(
                "far_closed",
                "Starts in a month before the last three closed ones",
                _EVERYBODY,
                ("closed_months", ">", "3"),
            ),
            rule("override", "A price of its own", ("approver",), ("overrides", ">", "0")),
            rule("terms", "Payment terms beyond 60 days", ("approver",), ("payment_terms_days", ">", "60")),
            rule("long_terms", "Payment terms beyond 90 days", _EVERYBODY, ("payment_terms_days", ">", "90")),
            rule("not_standard", "Says a term that is not standard", _EVERYBODY, ("not_standard", ">", "0")),
        ],
        "steps": [
            step(
                "approver",
                "Approver",
                "orders.quote.approve",
                ("days_back", "up"),
                ("closed_months", "up"),
                ("payment_terms_days", "up"),
                ("max_discount", "up"),
                ("min_margin", "down"),
                ("overrides", "up"),
                *_TERMS,
            ),
            step(
                "controller",
                "Controller",
                "orders.quote.approve_exception",
                ("days_back", "up"),
                ("closed_months", "up"),
                ("payment_terms_days", "up"),
                ("max_discount", "up"),
                ("min_margin", "down"),
                *_TERMS,
            ),
        ],
    },
    "orders.amendment.cancel": {
        "title": "Cancellations by value",
        "clause": (
            "A cancellation that gives up to 50,000 of committed value is applied by a second person."
            " Above, and above 25,000 when it reaches back behind the day on which it was asked for,"
            " an approver decides; above 500,000 the controller too. Amounts in functional currency."
        ),
        "bands": bands("amount", ("50000", ()), ("500000", ("approver",)), (None, _EVERYBODY)),
        "rules": [
            rule(
                "backdated",
                "Reaches back behind the day on which it was asked for",
                ("approver",),
                ("mode", "=", "backdated"),
                ("amount", ">", "25000"),
            )
        ],
        "steps": [
            step(
                "approver", "Approver", "orders.quote.approve",
                ("amount", "up"), ("effective_on", "down"), ("mode", "change"),
            ),
            step("controller", "Controller", "orders.quote.approve_exception", ("amount", "up")),
        ],
    },
}  # fmt: skip
