"""Changes of active contracts under approval: what an amendment gives that the contract did not.

A contract that was signed at list price and amended to a tenth of it is a discount like any other. What
counts is what every day gets that it did not have: an amendment that keeps what was agreed asks nobody.
Cancelling is an act of its own (policy_orders.py).
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from o2c.controls.approvals.declaring import bands, rule, step
from o2c.controls.approvals.registry import Act, Lineage, in_functional
from orders.domain.price_spec import MONEY_KEYS
from orders.policy_margins import MARGINS, margin_at
from orders.policy_orders import closed_before

_MONEY = '"({})": "-?[0-9.]+"'.format("|".join(sorted(MONEY_KEYS)))
_NUMBERS = '"(?:{})": "(-?[0-9.]+)"'.format("|".join(sorted(MONEY_KEYS)))


def not_lower(new: str, old: str) -> str:
    """SQL: both prices (jsonb) are built alike, and no amount of the new one is lower."""
    return f"""(regexp_replace({new}::text, '{_MONEY}', '\\1', 'g')
             = regexp_replace({old}::text, '{_MONEY}', '\\1', 'g') AND NOT EXISTS (
        SELECT FROM regexp_matches({new}::text, '{_NUMBERS}', 'g') WITH ORDINALITY AS x(found, n)
        JOIN regexp_matches({old}::text, '{_NUMBERS}', 'g') WITH ORDINALITY AS y(found, n) USING (n)
        WHERE x.found[1]::numeric < y.found[1]::numeric))"""


# What a line gets (x) beside what it has on the same days (b); what is added to its end beside its last days.
_PAIRS = """
FROM jsonb_array_elements(a.effect->'lines') l CROSS JOIN jsonb_array_elements(l->'after') x
LEFT JOIN jsonb_array_elements(l->'before') b
  ON coalesce(b->>'ends_on', '9999-12-31') > x->>'starts_on'
     AND b->>'starts_on' < coalesce(x->>'ends_on', '9999-12-31')
  OR b = l->'before'->-1 AND coalesce(x->>'ends_on', '9999-12-31') > coalesce(b->>'ends_on', '9999-12-31')"""

# A segment that was opened without having been shown is a price of its own, whatever it says.
_NOT_SHOWN = """
FROM orders_segment s JOIN orders_price z ON z.id = s.price_id JOIN orders_sku k ON k.id = z.sku_id
WHERE s.opened_by_id = a.id AND NOT EXISTS (
  SELECT FROM jsonb_array_elements(a.effect->'lines') l CROSS JOIN jsonb_array_elements(l->'after') x
  WHERE x->>'starts_on' = s.starts_on::text AND (x->>'price')::bigint = s.price_id
    AND (x->>'discount_percent')::numeric = s.discount_percent
    AND (x->>'quantity')::numeric = s.quantity
    AND nullif(x->'price_override', 'null') IS NOT DISTINCT FROM s.price_override)"""

_OWN = "nullif(x->'price_override', 'null')"
_HAD = "coalesce(nullif(b->'price_override', 'null'), p.spec)"

_MARGIN = f"""coalesce(least(
      (SELECT min({margin_at("(x->>'discount_percent')::numeric", "k.cost_percent")}) {_PAIRS}
       JOIN orders_price z ON z.id = (x->>'price')::bigint JOIN orders_sku k ON k.id = z.sku_id
       WHERE {_OWN} IS NULL AND k.cost_percent IS NOT NULL
         AND (b IS NULL OR (x->>'discount_percent')::numeric > (b->>'discount_percent')::numeric)),
      (SELECT min({margin_at("s.discount_percent", "k.cost_percent")})
       {_NOT_SHOWN} AND s.price_override IS NULL AND k.cost_percent IS NOT NULL)), 100)"""

# What a transfer takes from this order the order that it opens gets: nothing is given up once that is there.
_GIVEN_UP = """CASE WHEN a.kind = 'transfer' AND (a.state <> 'applied' OR EXISTS (
      SELECT FROM orders_order n WHERE n.opened_by_id = a.id)) THEN 0
    ELSE greatest(coalesce(a.value_before - a.value_after, 0), 0) END"""

# Each line that it changes, as it was and as it would be, from which day.
_LINES = """(SELECT jsonb_object_agg(
    concat(l->>'position', ', from ', x->>'starts_on', side.named), jsonb_build_object(
      'sku', l->>'sku', 'quantity', x->>'quantity', 'price', p.spec,
      'override', nullif(x->'price_override', 'null'), 'discount_percent', x->>'discount_percent',
      'ends_on', x->>'ends_on'))
  FROM jsonb_array_elements(a.effect->'lines') l
  CROSS JOIN (VALUES ('before', ', as it is'), ('after', ', as asked')) AS side(key, named)
  CROSS JOIN jsonb_array_elements(l->side.key) x LEFT JOIN orders_price p ON p.id = (x->>'price')::bigint)"""

AMEND_FACTS = f"""
SELECT jsonb_build_object(
  'order', o.number, 'customer', c.number || ' ' || c.name, 'kind', a.kind, 'currency', o.currency,
  'functional_currency', e.currency, 'effective_on', a.effective_on::text, 'reason', a.reason,
  'given_up', g.amount::text,
  'amount', CASE WHEN g.amount = 0 THEN '0'
            ELSE {in_functional("g.amount", "o.currency", "e.currency", "a.effective_on")} END,
  'max_discount', greatest(
      (SELECT coalesce(max((x->>'discount_percent')::numeric), 0) {_PAIRS}
       WHERE b IS NULL OR (x->>'discount_percent')::numeric > (b->>'discount_percent')::numeric),
      (SELECT coalesce(max(s.discount_percent), 0) {_NOT_SHOWN}))::text,
  'min_margin', {_MARGIN}::text,
  'overrides', ((SELECT count(DISTINCT l->'position') {_PAIRS}
      LEFT JOIN orders_price p ON p.id = (b->>'price')::bigint
      WHERE {_OWN} IS NOT NULL AND (b IS NULL OR {_OWN} IS DISTINCT FROM nullif(b->'price_override', 'null')
        AND NOT {not_lower(_OWN, _HAD)}))
    + (SELECT count(*) {_NOT_SHOWN}))::text,
  'term_months', CASE WHEN a.kind = 'renew' THEN coalesce(a.changes->>'term_months', '0') ELSE '0' END,
  'closed_months', (SELECT count(*) FROM ledger_accountingperiod m WHERE m.entity_id = o.entity_id
      AND m.state = 'closed' AND m.ends_on > a.effective_on
      AND {closed_before("orders_historicalamendment", "a.id", "applied")})::text,
  'value_before', coalesce(a.value_before, 0)::text, 'value_after', coalesce(a.value_after, 0)::text,
  'lines', coalesce({_LINES}, '{{}}'), 'effect', a.effect_digest)
FROM orders_amendment a JOIN orders_order o ON o.id = a.order_id
JOIN ledger_legalentity e ON e.id = o.entity_id JOIN orders_customer c ON c.id = o.customer_id
CROSS JOIN LATERAL (SELECT {_GIVEN_UP} AS amount) g
WHERE a.id = $1
"""

ACTS = [
    Act(
        code="orders.amendment.apply",
        label="Amend an active order beyond what was agreed",
        model="orders.Amendment",
        service="orders.services.amendments.apply",
        duty="orders.amendment.apply",
        does="orders.amendment.apply",
        runs_as="maker",
        facts=AMEND_FACTS,
        table="orders_amendment",
        reached="{row}.kind <> 'cancel' AND {row}.state = 'applied'",
        parameters={"as_of": dt.date.fromisoformat},
        lineage=(
            Lineage("orders.Amendment", "h.id = $1", ("kind", "effective_on", "changes", "effect_digest")),
        ),
        labels={
            "order": "Order",
            "customer": "Customer",
            "kind": "Change",
            "max_discount": "Highest discount that it adds, percent",
            "min_margin": "Lowest margin at a discount that it adds, percent (100: no cost is known)",
            "overrides": "Lines with a price of their own that it adds",
            "amount": "Value given up, functional currency",
            "functional_currency": "Functional currency",
            "given_up": "Value given up",
            "value_before": "Value of the contract now",
            "value_after": "Value of the contract afterwards",
            "lines": "Lines, as they are and as asked",
            "currency": "Currency",
            "effective_on": "Effective on",
            "term_months": "Renewed for, months",
            "closed_months": "Closed months that it reaches into",
            "reason": "Reason",
            "effect": "Fingerprint of the effect",
        },
    )
]

_BOTH = ("approver", "controller")

POLICIES: dict[str, dict[str, Any]] = {
    "orders.amendment.apply": {
        "title": "Amendments by discount and value",
        "clause": (
            "An amendment is applied by somebody who did not draft it. What it adds to a contract is"
            " looked at like a quote: a discount above 20 percent, a price of its own that is not higher than"
            " before or a margin below 40 percent is decided by an approver, a discount above 40 percent, a"
            " margin below 15 percent and a renewal for more than 36 months by the controller too. An"
            " approver decides when it gives up more than 50,000 of committed value or reaches into a closed"
            " month; above 500,000 the controller too. Amounts in functional currency."
        ),
        "bands": bands("max_discount", ("20", ()), ("40", ("approver",)), (None, _BOTH)),
        "rules": [
            rule("override", "A price of its own", ("approver",), ("overrides", ">", "0")),
            *MARGINS,
            rule("value", "Gives up more than 50,000", ("approver",), ("amount", ">", "50000")),
            rule("large_value", "Gives up more than 500,000", _BOTH, ("amount", ">", "500000")),
            rule("long", "Renewed for more than 36 months", _BOTH, ("term_months", ">", "36")),
            rule("closed", "Reaches into a closed month", ("approver",), ("closed_months", ">", "0")),
        ],
        "steps": [
            step(
                "approver", "Approver", "orders.quote.approve",
                ("max_discount", "up"), ("min_margin", "down"), ("overrides", "up"), ("amount", "up"),
                ("closed_months", "up"), ("effect", "change"),
            ),
            step(
                "controller", "Controller", "orders.quote.approve_exception",
                ("max_discount", "up"), ("min_margin", "down"), ("amount", "up"), ("term_months", "up"),
                ("effect", "change"),
            ),
        ],
    },
}  # fmt: skip
