"""What the pages of customers and orders say and do about credit."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms

from o2c import clock
from o2c.access.models import User
from o2c.console import Act, Column, Fact, Panel
from o2c.console import format as fmt
from o2c.controls.approvals.admin.asking import propose_act
from orders.admin.forms import Day
from orders.domain.credit import Asked, Standing, problem
from orders.models import CreditLimit, CreditRelease, Customer, Order
from orders.selectors.credit import standing_of
from orders.services import credit


class LimitForm(forms.Form):
    """The decision as a whole; left empty, the amount says that credit is not checked."""

    amount = forms.DecimalField(
        min_value=0,
        required=False,
        label="Limit",
        help_text="Empty: credit is not checked (the controller's)",
    )
    review_on = Day(required=False, label="To be reviewed on")
    held = forms.BooleanField(required=False, label="Hold new orders")


def limit_form(customer: Customer) -> type[forms.Form]:
    """With what holds now."""
    now = CreditLimit.objects.filter(customer=customer).first()
    day = clock.today(customer.time_zone) + dt.timedelta(days=365)
    amount = now.amount if now else standing_of(customer).limit
    initial = {"amount": amount, "review_on": day, "held": bool(now and now.held)}

    class Prefilled(LimitForm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs["initial"] = initial | (kwargs.get("initial") or {})
            super().__init__(*args, **kwargs)
            self.fields["amount"].label = f"Limit, {customer.currency}"

    return Prefilled


def _held(customer: Customer, user: Any) -> list[str]:
    return ["New orders are held already."] if where(customer).held else []


def where(customer: Customer) -> Standing:
    """Where the customer stands; asked once a page."""
    found: Standing | None = getattr(customer, "credit_standing", None)
    if found is None:
        found = customer.credit_standing = standing_of(customer)  # type: ignore[attr-defined]
    return found


CUSTOMER_ACTS = [
    Act(
        "change_credit",
        "Credit limit…",
        "orders.services.credit.change",
        duty="orders.customer.change_credit",
        form=limit_form,
        reason="required",
        follow=False,
        description="A raise beyond 100,000, no check at all and the end of a hold are asked for instead.",
    ),
    Act(
        "hold_credit",
        "Hold new orders…",
        "orders.services.credit.hold",
        duty="orders.customer.change_credit",
        unavailable=_held,
        reason="required",
        follow=False,
        danger=True,
        description="No order of the customer becomes active without a release; running contracts go on.",
    ),
    propose_act(
        "orders.customer.change_credit",
        "ask_change_credit",
        "Ask for another credit limit…",
        "orders.services.credit.ask_change",
        lambda customer, user: [],
        limit_form,
    ),
]


def customer_facts(customer: Customer) -> list[Fact]:
    """Limit and headroom."""
    now = where(customer)
    limit = "not checked" if now.limit is None else fmt.money(now.limit, now.currency)
    headroom = "" if now.headroom is None else fmt.money(now.headroom, now.currency)
    return [Fact("Credit limit", limit), Fact("Headroom", headroom)]


def customer_notices(customer: Customer) -> list[tuple[str, str]]:
    """On hold, or over the limit."""
    now = where(customer)
    if now.held:
        return [("bad", "On credit hold: no order becomes active without a release.")]
    if now.headroom is not None and now.headroom < 0:
        return [
            (
                "warn",
                f"Over its credit limit by {fmt.plain_money(-now.headroom, now.currency)} {now.currency}.",
            )
        ]
    return []


def customer_panels(customer: Customer) -> list[Panel]:
    """Exposure against the limit, and who decided what."""
    now = where(customer)
    money = customer.currency
    rows = list(CreditLimit.objects.filter(customer=customer)[:20])
    names = dict(User.objects.filter(pk__in={row.actor_id for row in rows}).values_list("pk", "username"))
    return [
        Panel(
            "Credit",
            [now],
            [
                Column(lambda s: s.receivable, "Open receivables", money=money),
                Column(lambda s: s.unbilled, "Committed, not billed", money=money),
                Column(lambda s: s.exposure, "Exposure", money=money),
                Column(lambda s: "not checked" if s.limit is None else fmt.money(s.limit, money), "Limit"),
                Column(lambda s: s.headroom, "Headroom", money=money),
                Column(lambda s: "yes" if s.held else "no", "On hold"),
            ],
            link_rows=False,
            note="" if rows else "Nobody decided yet: the standard limit of the currency holds.",
        ),
        Panel(
            "Credit decisions",
            rows,
            [
                "recorded_at",
                Column(lambda r: "not checked" if r.amount is None else fmt.money(r.amount, money), "Limit"),
                Column(lambda r: "yes" if r.held else "no", "On hold"),
                "review_on",
                "reason",
                Column(lambda r: names.get(r.actor_id, "the product"), "By"),
            ],
            link_rows=False,
            empty="None yet.",
        ),
    ]


def asked_of(order: Order) -> Asked | None:
    """What the order asks of its customer's credit now; found once a page."""
    if not hasattr(order, "credit_asked"):
        order.credit_asked = credit.waiting(order)  # type: ignore[attr-defined]
    return order.credit_asked  # type: ignore[attr-defined,no-any-return]


def _not_held_back(order: Order, user: Any) -> list[str]:
    asked = asked_of(order)
    if asked is not None and problem(asked):
        return []
    return ["Its credit does not hold the order back."]


ORDER_ACTS = [
    Act(
        "release_credit",
        "Release from credit hold…",
        "orders.services.credit.release",
        duty="orders.order.release_credit",
        unavailable=_not_held_back,
        reason="required",
        follow=False,
        description="Lets this order go ahead up to the exposure that it leads to, under the limit as it is.",
    ),
    propose_act(
        "orders.order.release_credit",
        "ask_release_credit",
        "Ask for its release from credit hold…",
        "orders.services.credit.ask_release",
        _not_held_back,
        None,
    ),
]


def order_notices(order: Order) -> list[tuple[str, str]]:
    """What keeps drafted amendments of an active order back."""
    asked = asked_of(order) if order.state == Order.State.ACTIVE else None
    found = problem(asked) if asked is not None else None
    return [("warn", f"Amendments that add value wait: {found[1]}.")] if found else []


def order_panels(order: Order) -> list[Panel]:
    """Releases, for an order that has any."""
    rows = list(CreditRelease.objects.filter(order=order)[:10])
    if not rows:
        return []
    names = dict(User.objects.filter(pk__in={row.actor_id for row in rows}).values_list("pk", "username"))
    return [
        Panel(
            "Credit releases",
            rows,
            [
                "recorded_at",
                Column(lambda r: r.exposure, "Exposure before", money=order.currency),
                Column(lambda r: r.covers, "Covers up to", money=order.currency),
                "reason",
                Column(lambda r: names.get(r.actor_id, ""), "By"),
            ],
            link_rows=False,
        )
    ]
