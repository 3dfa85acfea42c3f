"""Acts of orders under approval, and the policies that ship for them."""

from __future__ import annotations

from typing import Any

from o2c.controls.approvals.declaring import rule
from o2c.controls.approvals.registry import Act, Lineage
from orders import policy_amendments, policy_credit, policy_discounts, policy_masters, policy_orders
from orders.policy_margins import MARGINS, margin_at
from orders.policy_orders import NOT_STANDARD

QUOTE_FACTS = f"""
SELECT jsonb_build_object(
  'customer', c.number || ' ' || c.name, 'currency', q.currency, 'title', q.title,
  'starts_on', q.starts_on::text, 'ends_on', coalesce(q.ends_on::text, 'open'),
  'term_months', coalesce((extract(year FROM age(q.ends_on, q.starts_on)) * 12
                           + extract(month FROM age(q.ends_on, q.starts_on)))::int, 0)::text,
  'payment_terms_days', q.payment_terms_days::text, 'billing_frequency', q.billing_frequency,
  'late_usage', q.late_usage_policy, 'valid_until', q.valid_until::text,
  'not_standard', ((q.termination_notice_days IS NOT NULL)::int + (q.acceptance_days IS NOT NULL)::int
                   + q.most_favoured_price::int + (q.side_letter <> '')::int)::text,
  'termination_notice_days', coalesce(q.termination_notice_days::text, 'none'),
  'acceptance_days', coalesce(q.acceptance_days::text, 'none'),
  'most_favoured_price', q.most_favoured_price::text, 'side_letter', q.side_letter,
  'max_discount', coalesce((SELECT max(l.discount_percent) FROM orders_quoteline l
                            WHERE l.quote_id = q.id), 0)::text,
  'free_lines', (SELECT count(*) FROM orders_quoteline l
                 WHERE l.quote_id = q.id AND l.discount_percent >= 100)::text,
  'min_margin', coalesce((SELECT min({margin_at("l.discount_percent", "s.cost_percent")})
                          FROM orders_quoteline l JOIN orders_sku s ON s.id = l.sku_id
                          WHERE l.quote_id = q.id AND l.override_spec IS NULL
                            AND s.cost_percent IS NOT NULL), 100)::text,
  'overrides', (SELECT count(*) FROM orders_quoteline l
                WHERE l.quote_id = q.id AND l.override_spec IS NOT NULL)::text,
  'lines', coalesce((SELECT jsonb_object_agg(l.position::text, jsonb_build_object(
      'sku', s.code, 'quantity', l.quantity::text, 'price', p.spec, 'override', l.override_spec,
      'discount_percent', l.discount_percent::text, 'why', l.override_reason, 'timing', l.timing,
      'frequency', l.frequency, 'starts_on', l.starts_on, 'ends_on', l.ends_on))
    FROM orders_quoteline l JOIN orders_sku s ON s.id = l.sku_id JOIN orders_price p ON p.id = l.price_id
    WHERE l.quote_id = q.id), '{{}}'))
FROM orders_quote q JOIN orders_customer c ON c.id = q.customer_id WHERE q.id = $1
"""

ACTS = [
    Act(
        code="orders.quote.approve",
        label="Approve a quote",
        model="orders.Quote",
        service="orders.services.quotes.approve",
        duty="orders.quote.submit",
        does="orders.quote.approve",
        facts=QUOTE_FACTS,
        table="orders_quote",
        reached="{row}.state = 'approved'",
        lineage=(
            Lineage(
                "orders.Quote",
                "h.id = $1",
                (
                    "starts_on",
                    "ends_on",
                    "payment_terms_days",
                    "valid_until",
                    "submitted_by_id",
                    *NOT_STANDARD,
                ),
            ),
            Lineage(
                "orders.QuoteLine",
                "h.quote_id = $1",
                (
                    "sku_id",
                    "quantity",
                    "price_id",
                    "override_spec",
                    "discount_percent",
                    "timing",
                    "frequency",
                ),
            ),
        ),
        amount="",
        labels={
            "customer": "Customer",
            "title": "Title",
            "currency": "Currency",
            "max_discount": "Highest discount, percent",
            "min_margin": "Lowest margin of a line at its discount, percent (100: no cost is known)",
            "free_lines": "Lines for free",
            "overrides": "Lines with a price of their own",
            "payment_terms_days": "Payment terms, days",
            "not_standard": "Terms that are not standard",
            "termination_notice_days": "Early termination, days of notice",
            "acceptance_days": "Acceptance, days",
            "most_favoured_price": "Most-favoured price",
            "side_letter": "Side letter",
            "term_months": "Term, months",
            "starts_on": "Starts",
            "ends_on": "Ends",
            "billing_frequency": "Billed",
            "late_usage": "Late usage",
            "valid_until": "Valid until",
            "lines": "Lines",
        },
    ),
]


def _watched(*directions: tuple[str, str]) -> list[dict[str, str]]:
    return [{"path": path, "worse": worse} for path, worse in directions]


POLICIES: dict[str, dict[str, Any]] = {
    "orders.quote.approve": {
        "title": "Quotes by discount and terms",
        "clause": (
            "Every quote is approved by somebody who did not write it (S10). A discount above 20 percent, a"
            " price of its own, a margin below 40 percent or payment terms beyond 60 days are decided by an"
            " approver with the terms in front of them; a discount above 40 percent, a margin below 15"
            " percent, lines for free, terms beyond 90 days, a term of more than 36 months, early"
            " termination, acceptance, a most-favoured price or a side letter by the controller too."
        ),
        "bands": {
            "path": "max_discount",
            "levels": [
                {"up_to": "20", "steps": []},
                {"up_to": "40", "steps": ["approver"]},
                {"up_to": None, "steps": ["approver", "controller"]},
            ],
        },
        "rules": [
            {
                "code": "override",
                "because": "A line has a price of its own",
                "when": [{"path": "overrides", "op": ">", "value": "0"}],
                "steps": ["approver"],
            },
            *MARGINS,
            {
                "code": "terms",
                "because": "Payment terms beyond 60 days",
                "when": [{"path": "payment_terms_days", "op": ">", "value": "60"}],
                "steps": ["approver"],
            },
            {
                "code": "long_terms",
                "because": "Payment terms beyond 90 days",
                "when": [{"path": "payment_terms_days", "op": ">", "value": "90"}],
                "steps": ["approver", "controller"],
            },
            {
                "code": "free",
                "because": "A line is for free",
                "when": [{"path": "free_lines", "op": ">", "value": "0"}],
                "steps": ["approver", "controller"],
            },
            {
                "code": "long",
                "because": "A term of more than 36 months",
                "when": [{"path": "term_months", "op": ">", "value": "36"}],
                "steps": ["approver", "controller"],
            },
            rule(
                "not_standard",
                "Says a term that is not standard",
                ("approver", "controller"),
                ("not_standard", ">", "0"),
            ),
        ],
        "steps": [
            {
                "code": "approver",
                "title": "Approver",
                "duty": "orders.quote.approve",
                "approvers": 1,
                "watches": _watched(
                    ("max_discount", "up"),
                    ("min_margin", "down"),
                    ("overrides", "up"),
                    ("free_lines", "up"),
                    ("payment_terms_days", "up"),
                    ("term_months", "up"),
                    *((name, "change") for name in NOT_STANDARD),
                    ("lines", "change"),
                ),
            },
            {
                "code": "controller",
                "title": "Controller",
                "duty": "orders.quote.approve_exception",
                "approvers": 1,
                "watches": _watched(
                    ("max_discount", "up"),
                    ("min_margin", "down"),
                    ("free_lines", "up"),
                    ("payment_terms_days", "up"),
                    ("term_months", "up"),
                    *((name, "change") for name in NOT_STANDARD),
                ),
            },
        ],
    }
}

for _part in (policy_orders, policy_amendments, policy_discounts, policy_masters, policy_credit):
    ACTS += _part.ACTS
    POLICIES |= _part.POLICIES
