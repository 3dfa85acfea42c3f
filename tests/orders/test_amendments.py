"""Amendments: previewed, applied as previewed, and worth what they say."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError

from o2c.actor import Actor
from o2c.errors import Conflict, InvalidInput, NotAuthorised
from o2c.outbox.models import DomainEvent
from orders.models import Amendment, Customer, Order, Segment
from orders.selectors.value import order_values
from orders.services import amendments, orders
from orders.services import catalogue as catalogue_services
from orders.services.inputs import PriceInput
from tests.factories.access import make_user
from tests.factories.orders import TERM_END, TERM_START, applied_amendment, line, make_order, make_prices

pytestmark = pytest.mark.django_db

D = Decimal
NOVEMBER = dt.date(2026, 11, 1)


@pytest.fixture
def order(team: Actor, customer: Customer) -> Order:
    """Ten seats at 40.00 a month and a platform at 500.00 a month for a year: 4,800 + 6,000."""
    return make_order(team, customer, [line("SEATS", 10), line("PLATFORM")], state="active")


def seats(order: Order) -> int:
    return order.lines.get(position=1).pk


def timeline(order: Order, position: int = 1) -> list[tuple[str, str, str]]:
    rows = Segment.objects.in_force().filter(line__order=order, line__position=position).order_by("starts_on")
    return [(str(s.starts_on), str(s.ends_on), f"{s.quantity.normalize():f}") for s in rows]


def amend(team: Actor, order: Order, kind: str, on: dt.date, asked: dict[str, Any], **more: Any) -> Amendment:
    drafted = amendments.draft(
        order.pk, kind=kind, effective_on=on, changes=asked, actor=team, as_of=on, reason="asked", **more
    )
    return applied_amendment(drafted, team, as_of=on, reason="agreed")


def test_more_seats_from_a_date_on(team: Actor, order: Order) -> None:
    asked = {"lines": [{"line": seats(order), "quantity": "15"}]}
    drafted = amendments.draft(
        order.pk, kind="quantity", effective_on=NOVEMBER, changes=asked, actor=team, reason="growth"
    )
    assert timeline(order) == [("2026-08-01", "2027-08-01", "10")]
    # nine months of five more seats at 40.00
    assert (drafted.value_before, drafted.value_after) == (D("10800.00"), D("12600.00"))
    assert drafted.effect["value"]["delta"] == "1800.00"
    applied = amendments.apply(drafted.pk, actor=team, as_of=NOVEMBER)
    assert (applied.state, applied.applied_by_id, applied.applied_on) == ("applied", team.user_id, NOVEMBER)
    assert timeline(order) == [("2026-08-01", "2026-11-01", "10"), ("2026-11-01", "2027-08-01", "15")]
    assert order_values([order.pk]) == {order.pk: D("12600.00")}
    closed, opened = Segment.objects.filter(line=seats(order)).order_by("sequence")
    assert (closed.closed_by_id, opened.opened_by_id, opened.sequence) == (applied.pk, applied.pk, 2)
    event = DomainEvent.objects.get(type="orders.order.amended")
    assert event.payload["amendment_id"] == applied.pk
    assert event.payload["order_id"] == order.pk


def test_fewer_seats_by_a_delta_on_every_segment(team: Actor, order: Order) -> None:
    amend(team, order, "quantity", NOVEMBER, {"lines": [{"line": seats(order), "quantity": "15"}]})
    amend(team, order, "quantity", dt.date(2026, 10, 1), {"lines": [{"line": seats(order), "delta": "-2"}]})
    assert timeline(order) == [
        ("2026-08-01", "2026-10-01", "10"),
        ("2026-10-01", "2026-11-01", "8"),
        ("2026-11-01", "2027-08-01", "13"),
    ]
    with pytest.raises(InvalidInput, match=r"line 1 \(SEATS\) has 8 on .*; it can't go down by 9"):
        amend(
            team, order, "quantity", dt.date(2026, 10, 1), {"lines": [{"line": seats(order), "delta": "-9"}]}
        )


def test_a_change_for_some_months_only(team: Actor, order: Order) -> None:
    asked = {"lines": [{"line": seats(order), "quantity": "30"}], "until": "2027-01-01"}
    amend(team, order, "quantity", NOVEMBER, asked)
    assert timeline(order) == [
        ("2026-08-01", "2026-11-01", "10"),
        ("2026-11-01", "2027-01-01", "30"),
        ("2027-01-01", "2027-08-01", "10"),
    ]


def test_a_backdated_change_keeps_what_it_replaced_on_file(team: Actor, order: Order) -> None:
    amend(team, order, "quantity", NOVEMBER, {"lines": [{"line": seats(order), "quantity": "15"}]})
    amend(team, order, "quantity", TERM_START, {"lines": [{"line": seats(order), "quantity": "12"}]})
    assert timeline(order) == [("2026-08-01", "2026-11-01", "12"), ("2026-11-01", "2027-08-01", "12")]
    emptied = Segment.objects.filter(line=seats(order), ends_on=TERM_START).get()
    assert emptied.closed_by is not None
    assert (emptied.quantity, emptied.closed_by.number) == (D(10), 2)
    assert Segment.objects.filter(line=seats(order)).count() == 4


def test_another_price(team: Actor, order: Order) -> None:
    override = {"model": "per_unit", "unit_amount": "35.00"}
    amend(team, order, "price", NOVEMBER, {"lines": [{"line": seats(order), "override": override}]})
    # 3 x 400 + 9 x 350 + 6,000
    assert order_values([order.pk]) == {order.pk: D("10350.00")}
    amend(team, order, "price", dt.date(2027, 2, 1), {"lines": [{"line": seats(order), "override": None}]})
    assert order_values([order.pk]) == {order.pk: D("10650.00")}  # back at 400 from February
    amend(team, order, "price", TERM_START, {"lines": [{"line": seats(order), "discount_percent": "50"}]})
    assert order_values([order.pk]) == {order.pk: D("8325.00")}


def test_a_price_of_another_sku_or_currency_is_refused(team: Actor, order: Order) -> None:
    from orders.models import Price

    for price in Price.objects.exclude(sku__code="SEATS", currency="USD").filter(
        sku__code__in=["SEATS", "PLATFORM"]
    ):
        with pytest.raises(InvalidInput, match="is not one of SEATS in USD"):
            amend(team, order, "price", NOVEMBER, {"lines": [{"line": seats(order), "price": price.pk}]})


def test_a_line_is_added(team: Actor, order: Order) -> None:
    asked = {"lines": [{"sku": "TOKENS"}, {"sku": "ONBOARDING", "quantity": "1"}]}
    applied = amend(team, order, "add_line", NOVEMBER, asked)
    added = list(order.lines.filter(added_by=applied).select_related("sku"))
    assert [(x.position, x.sku.code, x.timing) for x in added] == [
        (3, "TOKENS", "arrears"),
        (4, "ONBOARDING", "advance"),
    ]
    assert timeline(order, 3) == [("2026-11-01", "2027-08-01", "1")]
    assert applied.effect["value"]["delta"] == "2500.00"


def test_a_line_without_attribution_is_not_added(team: Actor, order: Order) -> None:
    catalogue_services.save_sku("BARE", product="AI", name="Bare", kind="recurring", actor=team)
    make_prices(team, [PriceInput("BARE", "USD", {"model": "flat", "amount": "1"}, dt.date(2026, 1, 1))])
    with pytest.raises(Conflict, match="BARE lacks a revenue treatment, a GL segment"):
        amend(team, order, "add_line", NOVEMBER, {"lines": [{"sku": "BARE"}]})


def test_cancelled_from_today(team: Actor, order: Order) -> None:
    applied = amend(team, order, "cancel", NOVEMBER, {"mode": "now"})
    order.refresh_from_db()
    assert (order.state, order.ends_on, order.cancelled_on) == ("cancelled", NOVEMBER, NOVEMBER)
    assert timeline(order) == [("2026-08-01", "2026-11-01", "10")]
    assert applied.effect["value"] == {"before": "10800.00", "after": "2700.00", "delta": "-8100.00"}
    assert DomainEvent.objects.filter(type="orders.order.cancelled").count() == 1


def test_cancelled_at_the_end_of_the_period(team: Actor, order: Order) -> None:
    middle = dt.date(2026, 11, 17)
    applied = amend(team, order, "cancel", middle, {"mode": "period_end"})
    order.refresh_from_db()
    december = dt.date(2026, 12, 1)
    assert applied.effective_on == december
    assert (order.state, order.ends_on, order.cancelled_on) == ("active", december, december)
    assert orders.close_ended(actor=team, as_of=december) == 1
    order.refresh_from_db()
    assert order.state == "cancelled"
    assert DomainEvent.objects.filter(type="orders.order.cancelled").count() == 1


def test_cancelled_back_in_time(team: Actor, order: Order) -> None:
    def draft(on: dt.date, reason: str) -> Amendment:
        return amendments.draft(
            order.pk, kind="cancel", effective_on=on, changes={"mode": "backdated"}, actor=team,
            as_of=NOVEMBER, reason=reason,
        )  # fmt: skip

    with pytest.raises(InvalidInput, match="needs a reason"):
        draft(TERM_START, " ")
    with pytest.raises(InvalidInput, match="is not in the past"):
        draft(NOVEMBER, "never used")
    amendments.apply(draft(TERM_START, "never used").pk, actor=team, as_of=NOVEMBER)
    order.refresh_from_db()
    assert (order.state, order.ends_on, order.cancelled_on) == ("cancelled", TERM_START, TERM_START)
    assert timeline(order) == []
    assert order_values([order.pk]) == {order.pk: D("0.00")}


def test_cancelling_now_may_not_lie_in_the_past(team: Actor, order: Order) -> None:
    with pytest.raises(InvalidInput, match="2026-08-01 is in the past"):
        amendments.draft(
            order.pk, kind="cancel", effective_on=TERM_START, changes={"mode": "now"}, actor=team,
            as_of=NOVEMBER, reason="x",
        )  # fmt: skip


def test_one_line_is_cancelled_and_the_order_goes_on(team: Actor, order: Order) -> None:
    amend(team, order, "cancel", NOVEMBER, {"mode": "now", "lines": [seats(order)]})
    order.refresh_from_db()
    assert (order.state, order.ends_on, order.cancelled_on) == ("active", TERM_END, None)
    assert timeline(order, 2) == [("2026-08-01", "2027-08-01", "1")]


def test_renewed_with_an_uplift(team: Actor, order: Order) -> None:
    applied = amend(team, order, "renew", NOVEMBER, {"term_months": 12, "uplift_percent": "5"})
    order.refresh_from_db()
    assert (applied.effective_on, order.ends_on) == (TERM_END, dt.date(2028, 8, 1))
    assert timeline(order) == [("2026-08-01", "2027-08-01", "10"), ("2027-08-01", "2028-08-01", "10")]
    assert applied.effect["value"]["delta"] == "11340.00"  # 10,800 x 1.05
    new = Segment.objects.get(line=seats(order), starts_on=TERM_END)
    assert new.price_override == {"model": "per_unit", "unit_amount": "42.00"}


def test_renewed_at_the_list_price_of_the_day(team: Actor, order: Order) -> None:
    newer = {"model": "per_unit", "unit_amount": "50.00"}
    listed = make_prices(team, [PriceInput("SEATS", "USD", newer, dt.date(2027, 1, 1))])[0]
    amend(team, order, "renew", NOVEMBER, {"term_months": 6, "reprice": "list", "lines": [seats(order)]})
    new = Segment.objects.get(line=seats(order), starts_on=TERM_END)
    assert (new.price_id, new.price_override, new.ends_on) == (listed.pk, None, dt.date(2028, 2, 1))
    assert timeline(order, 2) == [("2026-08-01", "2027-08-01", "1")]


def test_a_cancellation_that_has_not_come_into_force_is_undone_by_a_renewal(
    team: Actor, order: Order
) -> None:
    amend(team, order, "cancel", dt.date(2026, 11, 17), {"mode": "period_end"})
    amend(team, order, "renew", dt.date(2026, 11, 18), {"term_months": 12})
    order.refresh_from_db()
    assert (order.state, order.ends_on, order.cancelled_on) == ("active", dt.date(2027, 12, 1), None)


def test_what_is_charged_once_does_not_change_in_the_middle(team: Actor, customer: Customer) -> None:
    order = make_order(team, customer, [line("ONBOARDING"), line("SEATS")], state="active")
    asked = {"lines": [{"line": order.lines.get(position=1).pk, "quantity": "2"}]}
    with pytest.raises(InvalidInput, match=r"line 1 \(ONBOARDING\) is charged once"):
        amend(team, order, "quantity", NOVEMBER, asked)
    amend(team, order, "quantity", TERM_START, asked)
    assert timeline(order) == [("2026-08-01", "2027-08-01", "2")]
    applied = amend(team, order, "renew", NOVEMBER, {"term_months": 12})
    assert [x["sku"] for x in applied.effect["lines"]] == ["SEATS"]


BAD: list[tuple[str, dt.date, dict[str, Any], str]] = [
    ("quantity", dt.date(2026, 7, 31), {"quantity": "5"}, "not inside the term"),
    ("quantity", TERM_END, {"quantity": "5"}, "not inside the term"),
    ("quantity", NOVEMBER, {"quantity": "10"}, "changes nothing"),
    ("quantity", NOVEMBER, {"quantity": 5}, "decimal string"),
]


@pytest.mark.parametrize(("kind", "on", "item", "told"), BAD)
def test_what_can_not_be_asked_for(
    team: Actor, order: Order, kind: str, on: dt.date, item: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidInput, match=told):
        amend(team, order, kind, on, {"lines": [{"line": seats(order), **item}]})
    assert not Amendment.objects.exists()


def test_a_line_of_another_order_is_unknown(team: Actor, customer: Customer, order: Order) -> None:
    other = make_order(team, customer, [line("SEATS", 1)], state="active")
    with pytest.raises(InvalidInput, match=f"The order has no line with id {seats(other)}"):
        amend(team, order, "quantity", NOVEMBER, {"lines": [{"line": seats(other), "quantity": "2"}]})


def test_only_an_active_order_is_amended(team: Actor, customer: Customer) -> None:
    draft = make_order(team, customer, [line("SEATS", 1)])
    with pytest.raises(Conflict, match="only an active order is amended"):
        amend(team, draft, "quantity", NOVEMBER, {"lines": [{"line": seats(draft), "quantity": "2"}]})


def test_an_amendment_does_what_was_previewed_or_nothing(team: Actor, order: Order) -> None:
    asked = {"lines": [{"line": seats(order), "delta": "5"}]}
    first, second = (
        amendments.draft(order.pk, kind="quantity", effective_on=NOVEMBER, changes=asked, actor=team)
        for _ in range(2)
    )
    amendments.apply(first.pk, actor=team, as_of=NOVEMBER)
    with pytest.raises(Conflict, match="has changed since this amendment was drafted") as refused:
        amendments.apply(second.pk, actor=team, as_of=NOVEMBER)
    assert refused.value.code == "effect_changed"
    assert amendments.reject(second.pk, actor=team, reason="stale").state == "rejected"
    with pytest.raises(Conflict, match="The amendment is applied"):
        amendments.apply(first.pk, actor=team)
    assert timeline(order)[-1] == ("2026-11-01", "2027-08-01", "15")


def test_a_preview_is_what_drafting_stores_and_writes_nothing(team: Actor, order: Order) -> None:
    asked = {"lines": [{"line": seats(order), "quantity": "11"}]}
    shown = amendments.preview(order.pk, kind="quantity", effective_on=NOVEMBER, changes=asked)
    assert not Amendment.objects.exists()
    drafted = amendments.draft(order.pk, kind="quantity", effective_on=NOVEMBER, changes=asked, actor=team)
    assert drafted.effect == shown


def test_drafting_and_applying_are_two_duties(order: Order) -> None:
    approver = Actor.of(make_user("ada", "approver"))
    asked = {"lines": [{"line": seats(order), "quantity": "11"}]}
    with pytest.raises(NotAuthorised, match=r"orders\.amendment\.draft"):
        amendments.draft(order.pk, kind="quantity", effective_on=NOVEMBER, changes=asked, actor=approver)


def test_an_applied_amendment_is_immutable(team: Actor, order: Order, writing) -> None:  # type: ignore[no-untyped-def]
    applied = amend(team, order, "quantity", NOVEMBER, {"lines": [{"line": seats(order), "quantity": "15"}]})
    with pytest.raises(DatabaseError, match="immutable"), writing():
        Amendment.objects.filter(pk=applied.pk).update(reason="something else")
