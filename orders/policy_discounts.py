"""Standing discounts under approval: overrides for a customer or an order, and coupons."""

from __future__ import annotations

from typing import Any

from o2c.controls.approvals.declaring import bands, rule, step
from o2c.controls.approvals.registry import Act, Lineage
from orders.policy_amendments import not_lower
from orders.policy_margins import MARGINS, margin_at

_PERCENT = """CASE {0}.method WHEN 'percent_off' THEN {0}.value
    WHEN 'multiply' THEN greatest((1 - {0}.value) * 100, 0) ELSE 0 END"""

_ACTIVATED = """coalesce((SELECT min(h.history_date) FROM orders_historicalpriceadjustment h
    WHERE h.id = {0}.id AND h.state = 'active'), 'infinity')"""

# Several overrides of the same price at the same time take off together what they take off.
_BESIDE = f"""(SELECT coalesce(sum({_PERCENT.format("x")}), 0) FROM orders_priceadjustment x
    WHERE x.customer_id = a.customer_id AND x.id <> a.id AND x.state = 'active'
      AND ({_ACTIVATED.format("x")}, x.id) < ({_ACTIVATED.format("a")}, a.id)
      AND x.starts_on < coalesce(a.ends_on, 'infinity') AND a.starts_on < coalesce(x.ends_on, 'infinity')
      AND (x.order_id IS NULL OR a.order_id IS NULL OR x.order_id = a.order_id)
      AND (x.sku_id IS NULL OR a.sku_id IS NULL OR x.sku_id = a.sku_id)
      AND (x.product_id IS NULL OR a.product_id IS NULL OR x.product_id = a.product_id))"""

_LISTED = """(SELECT p.spec FROM orders_price p WHERE p.sku_id = a.sku_id AND p.currency = a.currency
    AND p.state = 'active' AND p.effective_from <= a.starts_on ORDER BY p.effective_from DESC LIMIT 1)"""

_OFF = f"least({_PERCENT.format('a')} + {_BESIDE}, 100)"

# Of every SKU that it covers, bought or not: it stands, and the next order may buy any of them.
_MARGIN = f"""(SELECT min({margin_at(_OFF, "k.cost_percent")}) FROM orders_sku k
    WHERE k.cost_percent IS NOT NULL AND {_OFF} > 0
      AND (a.sku_id IS NULL OR k.id = a.sku_id) AND (a.product_id IS NULL OR k.product_id = a.product_id))"""

ADJUSTMENT_FACTS = f"""
SELECT jsonb_build_object(
  'customer', c.number || ' ' || c.name, 'order', coalesce(o.number, 'every order'),
  'scope', coalesce(s.code, r.code, 'everything'), 'dimensions', a.dimensions, 'method', a.method,
  'value', coalesce(a.value::text, ''), 'price', coalesce(a.spec, '{{}}'), 'currency', a.currency,
  'starts_on', a.starts_on::text, 'ends_on', coalesce(a.ends_on::text, 'no end'), 'reason', a.reason,
  'percent', {_OFF}::text, 'min_margin', coalesce({_MARGIN}, 100)::text,
  'own_price', CASE a.method WHEN 'amount_off' THEN 1 WHEN 'replace' THEN
      (NOT coalesce({not_lower("a.spec", _LISTED)}, false))::int ELSE 0 END::text)
FROM orders_priceadjustment a JOIN orders_customer c ON c.id = a.customer_id
LEFT JOIN orders_order o ON o.id = a.order_id LEFT JOIN orders_sku s ON s.id = a.sku_id
LEFT JOIN orders_product r ON r.id = a.product_id WHERE a.id = $1
"""

COUPON_FACTS = """
SELECT jsonb_build_object(
  'code', c.code, 'name', c.name, 'method', c.method, 'value', c.value::text, 'currency', c.currency,
  'scope', coalesce(s.code, 'any SKU'), 'periods', coalesce(c.periods::text, 'for ever'),
  'redeem_until', coalesce(c.redeem_until::text, 'no end'),
  'max_redemptions', coalesce(c.max_redemptions::text, 'no limit'),
  'percent', CASE c.method WHEN 'percent_off' THEN c.value ELSE 100 END::text)
FROM orders_coupon c LEFT JOIN orders_sku s ON s.id = c.sku_id WHERE c.id = $1
"""

_SAID = ("value", "spec", "currency", "starts_on", "ends_on", "reason", "drafted_by_id")
_COUPON_LIMITS = ("redeem_from", "redeem_until", "max_redemptions")

ACTS = [
    Act(
        code="orders.adjustment.activate",
        label="Activate an override of a price",
        model="orders.PriceAdjustment",
        service="orders.services.adjustments.activate",
        duty="orders.adjustment.draft",
        does="orders.adjustment.activate",
        facts=ADJUSTMENT_FACTS,
        table="orders_priceadjustment",
        reached="{row}.state = 'active'",
        lineage=(Lineage("orders.PriceAdjustment", "h.id = $1", _SAID),),
        amount="",
        labels={
            "customer": "Customer",
            "order": "Order",
            "scope": "On",
            "dimensions": "Narrowed to",
            "method": "Kind",
            "value": "Value",
            "price": "Price",
            "currency": "Currency",
            "starts_on": "From",
            "ends_on": "Until",
            "reason": "Reason",
            "percent": "Takes off with the others of the customer, percent",
            "min_margin": "Lowest margin of a SKU that it covers, percent (100: no cost is known)",
            "own_price": "A price or an amount of its own",
        },
    ),
    Act(
        code="orders.coupon.activate",
        label="Put a coupon in force",
        model="orders.Coupon",
        service="orders.services.coupons.activate",
        duty="orders.coupon.maintain",
        does="orders.coupon.maintain",
        runs_as="maker",
        facts=COUPON_FACTS,
        table="orders_coupon",
        reached="{row}.active",
        lineage=(Lineage("orders.Coupon", "h.id = $1", ("value", "method", *_COUPON_LIMITS)),),
        amount="",
        labels={
            "code": "Code",
            "name": "Name",
            "method": "Kind",
            "value": "Value",
            "currency": "Currency",
            "scope": "On",
            "periods": "For billing periods",
            "redeem_until": "Redeemed until",
            "max_redemptions": "Redeemed at most",
            "percent": "Takes off, percent (an amount counts as 100)",
        },
    ),
]

_BOTH = ("approver", "controller")
_WATCHES = (
    ("percent", "up"), ("min_margin", "down"), ("own_price", "up"), ("value", "change"), ("price", "change"),
    ("starts_on", "change"), ("ends_on", "change"),
)  # fmt: skip
_COUPON_WATCHES = (("value", "up"), ("redeem_until", "change"), ("max_redemptions", "change"))

POLICIES: dict[str, dict[str, Any]] = {
    "orders.adjustment.activate": {
        "title": "Overrides of prices by discount",
        "clause": (
            "An override is activated by somebody who did not draft it. One that takes off more than 20"
            " percent, together with the customer's other overrides of the same price, is decided by an"
            " approver; so is an amount off, and another price unless it is built like the list price and"
            " nowhere lower, and what leaves a margin below 40 percent. Above 40 percent, and below a margin"
            " of 15 percent, the controller decides too."
        ),
        "bands": bands("percent", ("20", ()), ("40", ("approver",)), (None, _BOTH)),
        "rules": [
            rule("own_price", "A price or an amount of its own", ("approver",), ("own_price", ">", "0")),
            *MARGINS,
        ],
        "steps": [
            step("approver", "Approver", "orders.adjustment.activate", *_WATCHES),
            step("controller", "Controller", "orders.quote.approve_exception", *_WATCHES),
        ],
    },
    "orders.coupon.activate": {
        "title": "Coupons",
        "clause": (
            "A coupon is a discount that its redeemers give without being asked: an approver agrees to each"
            " before it can be redeemed. Who made it does not redeem it (S09)."
        ),
        "rules": [],
        "bands": bands("percent", (None, ("approver",))),
        "steps": [step("approver", "Approver", "orders.quote.approve", *_COUPON_WATCHES)],
    },
}  # fmt: skip
