"""Which function of the segregation matrix each duty of orders belongs to; what records are made of."""

from o2c.controls.sod.declare import Act, Values

FUNCTIONS = {
    "MD.CUSTOMER": [
        "orders.customer.maintain",
        "orders.customer.deactivate",
        "orders.customer.reactivate",
    ],
    # Payment terms and tax exemption belong to the customer's master data (S01), under approval of their own;
    # what S02 calls limit is this.
    "MD.CREDIT": ["orders.customer.change_credit"],
    "MD.PRICE": [
        "orders.price.draft",
        "orders.price.activate",
        "orders.price.retire",
    ],
    "MD.PROMOTION": ["orders.coupon.maintain"],
    "MD.PRODUCT": ["orders.catalogue.maintain"],
    "REV.RULE": ["orders.sku.attribute"],
    "ORD.ENTER": [
        "orders.quote.draft",
        "orders.quote.submit",
        "orders.quote.accept",
        "orders.order.draft",
        "orders.order.sign",
        "orders.order.maintain",
        "orders.amendment.draft",
        "orders.adjustment.draft",
        "orders.coupon.redeem",
        "orders.intake.process",
    ],
    "ORD.APPROVE": [
        "orders.quote.approve",
        "orders.quote.approve_exception",
        "orders.order.activate",
        "orders.amendment.apply",
        "orders.adjustment.activate",
    ],
    # Whoever agrees to credit stands in for the brake as well as who releases it.
    "ORD.RELEASE": [
        "orders.order.release_credit",
        "orders.credit.approve",
        "orders.credit.approve_large",
    ],
    "FUL.RECORD": [
        "orders.entitlement.provision",
        "orders.entitlement.retry",
        "orders.milestone.record",
    ],
}

# Endings and returns: they take something back, and add nothing to what is sold or billed.
NEUTRAL = [
    "orders.quote.expire",
    "orders.order.reopen",
    "orders.order.cancel",
    "orders.order.complete",
    "orders.intake.dismiss",
]

_CUSTOMER = ("customer", "customer__contacts", "customer__tax_registrations")

LINEAGE = {
    "orders.customer": ["contacts", "tax_registrations"],
    "orders.quote": ["lines", "lines__price", "lines__sku", *_CUSTOMER, "customer__credit_limits"],
    "orders.order": [
        "lines",
        "lines__segments",
        "lines__segments__price",
        "lines__sku",
        "lines__redemptions__coupon",
        *_CUSTOMER,
        "customer__credit_limits",
        "quote",
        "quote__lines",
    ],
    "orders.redemption": ["coupon"],
    "orders.milestonerecord": ["line", "line__order"],
    "orders.amendment": [
        "opened_segments",
        "opened_segments__price",
        "order__customer",
        "order__customer__credit_limits",
        "order__quote",
    ],
    "orders.creditrelease": ["order", "order__lines", "order__quote", "order__amendments"],
    "orders.priceadjustment": ["customer", "order"],
    "orders.entitlement": ["line__order", "line"],
}

_DRAFT: dict[str, Values] = {"state": ("draft",)}
# What an amendment writes on being applied was entered by who drafted the amendment.
_BY_HAND: dict[str, Values] = {"opened_by_id": (None,)}

ACTS = {
    "MD.CUSTOMER": [
        Act("orders.customer", "edit"),
        Act("orders.contact", "edit"),
        Act("orders.taxregistration", "edit"),
    ],
    "MD.CREDIT": [Act("orders.creditlimit", "insert")],
    "MD.PRICE": [Act("orders.price", "edit"), Act("orders.price", "move", to=("active",))],
    "MD.PROMOTION": [Act("orders.coupon", "edit")],
    "MD.PRODUCT": [Act("orders.sku", "edit"), Act("orders.product", "edit"), Act("orders.meter", "edit")],
    "REV.RULE": [Act("orders.sku", "edit")],
    "ORD.ENTER": [
        Act("orders.quote", "edit", _DRAFT),
        Act("orders.quote", "move", to=("submitted",)),
        Act("orders.quoteline", "edit"),
        Act("orders.order", "edit", _DRAFT | _BY_HAND),
        Act("orders.order", "move", _BY_HAND, to=("signed",)),
        Act("orders.orderline", "insert", {"added_by_id": (None,)}),
        Act("orders.amendment", "edit", _DRAFT),
        Act("orders.priceadjustment", "edit", _DRAFT),
        Act("orders.redemption", "insert"),
    ],
    "ORD.APPROVE": [
        Act("orders.quote", "move", to=("approved",)),
        Act("orders.order", "move", to=("active",)),
        Act("orders.amendment", "move", to=("applied",)),
        Act("orders.priceadjustment", "move", to=("active",)),
    ],
    "FUL.RECORD": [
        Act("orders.entitlement", "move", to=("provisioned",)),
        Act("orders.milestonerecord", "insert"),
    ],
    "ORD.RELEASE": [Act("orders.creditrelease", "insert")],
}
