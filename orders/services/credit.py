"""Credit of customers: limits and holds decided, orders let through, and what the gate saw put on record."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from o2c import clock, locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.controls.approvals.models import Request
from o2c.errors import Conflict, InvalidInput
from o2c.money import minor_units
from orders.domain import credit
from orders.models import Amendment, BillingTerms, CreditCheck, CreditLimit, CreditRelease, Customer, Order
from orders.selectors.credit import credit_of, releases, standing_of
from orders.selectors.value import order_values

LONGEST_REVIEW = 732  # days: two years
CHANGE, RELEASE = "orders.customer.change_credit", "orders.order.release_credit"


def change(
    pk: int,
    *,
    amount: Decimal | None,
    review_on: dt.date | None = None,
    held: bool = False,
    actor: Actor,
    reason: str = "",
) -> CreditLimit:
    """Decide what a customer may owe, in its currency, and whether its orders are held.

    Without an amount its credit is not checked: that is the controller's decision, however it is asked for.
    Raises InvalidInput without a reason, for an amount below zero or finer than the currency, and for a
    limit without a day of review within two years; Conflict when its policy wants somebody else to look
    first, or when nothing would change.
    """
    with acting(actor, reason=reason):
        customer: Customer = locks.row(Customer, pk)
        require(actor, CHANGE, record=str(customer))
        _check(customer, amount, review_on, reason)
        now = CreditLimit.objects.filter(customer=customer).first()
        if now is not None and (now.amount, now.held, now.review_on) == (amount, held, review_on):
            raise Conflict("That is what holds already", record=str(customer))
        _value_orders(customer)
        made = CreditLimit.objects.create(
            customer=customer, amount=amount, held=held, review_on=review_on, reason=reason.strip()
        )
        approvals.gate(CHANGE, [made.pk])
        return made


def ask_change(
    pk: int,
    *,
    amount: Decimal | None,
    review_on: dt.date | None = None,
    held: bool = False,
    actor: Actor,
    reason: str = "",
) -> Request:
    """Ask those whom the policy names for another limit, for no check at all, or for the end of a hold."""
    values = {
        "amount": "" if amount is None else f"{amount:f}",
        "review_on": review_on.isoformat() if review_on else "",
        "held": str(held).lower(),
    }
    return approvals.submit(CHANGE, pk, actor=actor, reason=reason, parameters=values)


def hold(pk: int, *, actor: Actor, reason: str = "") -> CreditLimit:
    """Let no order of the customer become active without a release; its limit stays as it is."""
    with acting(actor, reason=reason):
        customer: Customer = locks.row(Customer, pk)
        now = CreditLimit.objects.filter(customer=customer).first()
        today = clock.today(customer.time_zone)
        if now is None:
            amount, review_on = standing_of(customer).limit, today + dt.timedelta(days=365)
        else:
            # A review that is overdue keeps nobody from holding orders: it is due tomorrow.
            amount, review_on = now.amount, max(now.review_on or today, today + dt.timedelta(days=1))
        return change(
            pk,
            amount=amount,
            review_on=None if amount is None else review_on,
            held=True,
            actor=actor,
            reason=reason,
        )


def release(pk: int, *, actor: Actor, reason: str = "") -> CreditRelease:
    """Let an order go ahead although its customer is over the limit or on hold.

    It covers what a signed order commits, or what the drafted amendments of an active one add, and only while
    the decision about the customer stays. Raises Conflict when nothing holds the order back, or when its
    policy wants somebody else to look first; InvalidInput without a reason.
    """
    with acting(actor, reason=reason):
        order: Order = locks.row(Order, pk)
        require(actor, RELEASE, record=order.number)
        locks.row(Customer, order.customer_id)
        asked = waiting(order)
        if asked is None or credit.problem(asked) is None:
            raise Conflict("Its credit does not hold the order back", record=order.number)
        if not reason.strip():
            raise InvalidInput("Say why", record=order.number, fields={"reason": ["is missing"]})
        made = CreditRelease.objects.create(
            order=order,
            decision_id=asked.standing.decision,
            exposure=asked.standing.exposure,
            covers=asked.exposure_after,
            reason=reason.strip(),
        )
        approvals.gate(RELEASE, [made.pk])
        return made


def ask_release(pk: int, *, actor: Actor, reason: str = "") -> Request:
    """Ask those whom the policy names to let an order go ahead."""
    return approvals.submit(RELEASE, pk, actor=actor, reason=reason)


def waiting(order: Order) -> credit.Asked | None:
    """What an order asks of its customer's credit now; None when it asks for none.

    A signed order asks for its value, an active one for what its drafted amendments add.
    """
    if order.channel != BillingTerms.Channel.DIRECT:
        return None
    if order.state == Order.State.SIGNED:
        return credit_of([order], order_values([order.pk]))[order.pk]
    if order.state != Order.State.ACTIVE:
        return None
    drafted = order.amendments.filter(state=Amendment.State.DRAFT)
    added = sum((max(adds(amendment), credit.ZERO) for amendment in drafted), credit.ZERO)
    return _of_amendment(order, added) if added else None


def adds(amendment: Amendment) -> Decimal:
    """By how much an amendment raises what its order commits to; below zero when it takes away."""
    return (amendment.value_after or credit.ZERO) - (amendment.value_before or credit.ZERO)


def lock_customers(orders: Iterable[Order]) -> None:
    """Lock who buys, so that orders which go ahead at once count each other."""
    locks.rows(Customer, {order.customer_id for order in orders})


def record(orders: Sequence[Order], asked: Mapping[int, credit.Asked]) -> None:
    """Keep what the gate saw of orders that become active now. One statement."""
    CreditCheck.objects.bulk_create(
        _seen(order, None, asked[order.pk]) for order in orders if order.pk in asked
    )


def pass_amendment(order: Order, amendment: Amendment) -> None:
    """Let an amendment that adds value pass the customer's credit, and keep what was seen.

    Raises Conflict when it does not fit.
    """
    if not asks(order, amendment):
        return
    lock_customers([order])
    asked = _of_amendment(order, adds(amendment))
    if found := credit.problem(asked):
        _, message, remedy = found
        raise Conflict(message, record=str(amendment), remedy=remedy, code="credit_hold")
    _seen(order, amendment, asked).save(force_insert=True)


def asks(order: Order, amendment: Amendment) -> bool:
    """Whether an amendment asks for its customer's credit: it adds value that the customer pays."""
    return adds(amendment) > 0 and order.channel == BillingTerms.Channel.DIRECT


def hold_of(amendment: Amendment) -> list[str]:
    """What of its customer's credit keeps a drafted amendment from being applied."""
    if amendment.state != Amendment.State.DRAFT or not asks(amendment.order, amendment):
        return []
    found = credit.problem(_of_amendment(amendment.order, adds(amendment)))
    return [f"{found[1]}. {found[2]}."] if found else []


def _of_amendment(order: Order, added: Decimal) -> credit.Asked:
    value = order_values([order.pk])[order.pk] + added
    return credit.Asked(standing_of(order.customer), value, added, releases([order.pk]).get(order.pk))


def _seen(order: Order, amendment: Amendment | None, asked: credit.Asked) -> CreditCheck:
    return CreditCheck(
        order=order,
        amendment=amendment,
        decision_id=asked.standing.decision,
        value=asked.value,
        exposure=asked.standing.exposure,
        added=asked.added,
        release_id=asked.release.pk if asked.release and asked.released else None,
    )


def _value_orders(customer: Customer) -> None:
    """Orders that became active before credit was checked get their value with the first decision."""
    bare = Order.objects.filter(
        customer=customer,
        state=Order.State.ACTIVE,
        channel=BillingTerms.Channel.DIRECT,
        credit_checks__isnull=True,
    )
    orders = {order.pk: order for order in bare}
    if not orders:
        return
    standing = standing_of(customer)
    later: dict[int, Decimal] = {}
    for amendment in Amendment.objects.filter(order__in=orders, state=Amendment.State.APPLIED):
        later[amendment.order_id] = later.get(amendment.order_id, credit.ZERO) + adds(amendment)
    values = order_values(orders)
    CreditCheck.objects.bulk_create(
        _seen(order, None, credit.Asked(standing, values[pk] - later.get(pk, credit.ZERO), credit.ZERO))
        for pk, order in orders.items()
    )


def _check(customer: Customer, amount: Decimal | None, review_on: dt.date | None, reason: str) -> None:
    wrong: dict[str, list[str]] = {}
    if not reason.strip():
        wrong["reason"] = ["is missing"]
    if amount is not None and (amount < 0 or round(amount, minor_units(customer.currency)) != amount):
        wrong["amount"] = [f"is no amount of {customer.currency}"]
    if amount is not None:
        today = clock.today(customer.time_zone)
        if review_on is None or not today < review_on <= today + dt.timedelta(days=LONGEST_REVIEW):
            wrong["review_on"] = ["is not a day within the next two years"]
    if wrong:
        said = "; ".join(f"{name} {texts[0]}" for name, texts in wrong.items())
        raise InvalidInput(f"The limit is not valid: {said}", record=str(customer), fields=wrong)
