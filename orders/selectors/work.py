"""What waits for somebody: orders to activate, blocked ones, failed provisioning, renewals, quotes."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from django.db.models import Model, OuterRef, Q, QuerySet, Subquery

from orders.domain.credit import Asked, problem
from orders.models import CreditLimit, Customer, DealIntake, Entitlement, Order, Quote
from orders.selectors.activation import blockers_of
from orders.selectors.credit import credit_of
from orders.selectors.value import order_values, quote_values

RENEWAL_DAYS = 90


class Attaching(QuerySet[Any]):
    """Rows that come with something computed for all of them at once, when they are read."""

    def attach(self, rows: list[Any]) -> None:
        """Set what is computed on each row."""

    def _fetch_all(self) -> None:
        fresh = self._result_cache is None
        super()._fetch_all()  # type: ignore[misc]
        rows = [row for row in self._result_cache or () if isinstance(row, Model)]
        if fresh and rows:
            self.attach(rows)


class OrdersWithBlockers(Attaching):
    """Each order has `blockers`: why it can't activate."""

    def attach(self, rows: list[Order]) -> None:
        found = blockers_of([row.pk for row in rows])
        for row in rows:
            row.blockers = found[row.pk]  # type: ignore[attr-defined]


class OrdersOnHold(Attaching):
    """Each order has `credit_asked`: what it asks of its customer's credit."""

    def attach(self, rows: list[Order]) -> None:
        found = _asked(rows)
        for row in rows:
            row.credit_asked = found.get(row.pk)  # type: ignore[attr-defined]


class OrdersWithValue(Attaching):
    """Each order has `value`: its committed value over the term."""

    def attach(self, rows: list[Order]) -> None:
        found = order_values([row.pk for row in rows])
        for row in rows:
            row.value = found.get(row.pk, Decimal(0))  # type: ignore[attr-defined]


class QuotesWithValue(Attaching):
    """Each quote has `value`: its committed value over the term."""

    def attach(self, rows: list[Quote]) -> None:
        found = quote_values([row.pk for row in rows])
        for row in rows:
            row.value = found.get(row.pk, Decimal(0))  # type: ignore[attr-defined]


def _signed() -> QuerySet[Order]:
    return Order.objects.filter(state=Order.State.SIGNED)


def _blocked_pks() -> list[int]:
    return [pk for pk, found in blockers_of(_signed().values_list("pk", flat=True)).items() if found]


def to_activate() -> QuerySet[Order]:
    """Signed orders that nothing keeps from becoming active."""
    return OrdersWithValue(Order).filter(state=Order.State.SIGNED).exclude(pk__in=_blocked_pks())


def blocked() -> QuerySet[Order]:
    """Signed orders that can't activate, each with its `blockers`."""
    return OrdersWithBlockers(Order).filter(pk__in=_blocked_pks())


def on_credit_hold() -> QuerySet[Order]:
    """Signed orders that their customer's credit holds back, each with its `credit_asked`."""
    asked = _asked(list(_signed()))
    return OrdersOnHold(Order).filter(pk__in=[pk for pk, one in asked.items() if problem(one)])


def _asked(orders: list[Order]) -> dict[int, Asked]:
    return credit_of(orders, order_values([order.pk for order in orders]))


def credit_to_review(day: dt.date) -> QuerySet[Customer]:
    """Customers whose credit decision in force was to be reviewed by `day`; `review_on` says when."""
    newest = CreditLimit.objects.filter(customer=OuterRef("pk")).order_by("-pk")
    rows = Customer.objects.annotate(review_on=Subquery(newest.values("review_on")[:1]))
    return rows.filter(state=Customer.State.ACTIVE, review_on__lte=day)


def failed_provisioning() -> QuerySet[Entitlement]:
    """Entitlements whose provisioning was refused, or was given up."""
    return Entitlement.objects.filter(state=Entitlement.State.FAILED)


def waiting_provisioning() -> QuerySet[Entitlement]:
    """Entitlements that the service has not confirmed yet."""
    return Entitlement.objects.filter(state__in=[Entitlement.State.PENDING, Entitlement.State.PROVISIONING])


def renewals_due(day: dt.date, days: int = RENEWAL_DAYS) -> QuerySet[Order]:
    """Active orders whose term ends within `days` of `day` and that nobody has cancelled."""
    until = day + dt.timedelta(days=days)
    rows = OrdersWithValue(Order).filter(state=Order.State.ACTIVE, cancelled_on__isnull=True)
    return rows.filter(ends_on__isnull=False, ends_on__lte=until)


def drafts() -> QuerySet[Order]:
    """Draft orders: nobody has signed them yet."""
    return Order.objects.filter(state=Order.State.DRAFT)


def quotes_to_approve(user: Any = None) -> QuerySet[Quote]:
    """Submitted quotes; with a user, those that they may decide about."""
    rows = QuotesWithValue(Quote).filter(state=Quote.State.SUBMITTED)
    if user is not None and user.pk:
        rows = rows.exclude(Q(submitted_by=user) | Q(last_edited_by=user))
    return rows


def parked_deals() -> QuerySet[DealIntake]:
    """Deals from the CRM that could not become an order."""
    return DealIntake.objects.filter(state=DealIntake.State.PARKED)
