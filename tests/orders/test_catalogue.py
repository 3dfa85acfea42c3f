"""The catalogue, and prices that are never valid twice on one day."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError

from o2c.actor import Actor
from o2c.errors import Conflict, InvalidInput, NotAuthorised, NotFound
from orders.models import Price, Sku
from orders.services import catalogue as services
from orders.services.inputs import PriceInput
from tests.factories.access import make_user

pytestmark = pytest.mark.django_db

JULY, AUGUST, OCTOBER = dt.date(2026, 7, 1), dt.date(2026, 8, 1), dt.date(2026, 10, 1)


def price(amount: str, start: dt.date, end: dt.date | None = None, sku: str = "SEATS") -> PriceInput:
    return PriceInput(sku, "USD", {"model": "per_unit", "unit_amount": amount}, start, end)


def listed() -> list[tuple[int, str, str, str | None]]:
    rows = Price.objects.filter(sku__code="SEATS", currency="USD", state="active").order_by("effective_from")
    return [
        (p.version, p.spec["unit_amount"], str(p.effective_from), p.effective_to and str(p.effective_to))
        for p in rows
    ]


def test_a_successor_ends_its_predecessor(team: Actor, catalogue: dict[str, Sku]) -> None:
    draft = services.draft_price(price("44.00", AUGUST), actor=team)
    assert listed() == [(1, "40.00", "2026-01-01", None)]
    services.activate_price(draft.pk, actor=team)
    assert listed() == [(1, "40.00", "2026-01-01", "2026-08-01"), (2, "44.00", "2026-08-01", None)]


def test_a_price_between_two_ends_where_the_later_one_begins(team: Actor, catalogue: dict[str, Sku]) -> None:
    later = services.draft_price(price("48.00", OCTOBER), actor=team)
    between = services.draft_price(price("44.00", AUGUST), actor=team)
    services.activate_prices([later.pk, between.pk], actor=team)
    assert listed() == [
        (1, "40.00", "2026-01-01", "2026-08-01"),
        (3, "44.00", "2026-08-01", "2026-10-01"),
        (2, "48.00", "2026-10-01", None),
    ]


def test_a_price_that_would_overlap_is_refused(team: Actor, catalogue: dict[str, Sku]) -> None:
    fixed = services.draft_price(price("44.00", AUGUST, OCTOBER), actor=team)
    services.activate_price(fixed.pk, actor=team)
    clash = services.draft_price(price("45.00", dt.date(2026, 9, 1)), actor=team)
    with pytest.raises(Conflict, match=r"SEATS USD v2 is valid from 2026-08-01 to 2026-10-01 already"):
        services.activate_price(clash.pk, actor=team)


def test_the_database_refuses_overlapping_active_prices(
    team: Actor,
    catalogue: dict[str, Sku],
    writing,  # type: ignore[no-untyped-def]
) -> None:
    draft = services.draft_price(price("44.00", AUGUST), actor=team)
    with pytest.raises(IntegrityError, match="orders_price_no_overlap"), writing():
        Price.objects.filter(pk=draft.pk).update(state="active")
    euro = services.draft_price(
        PriceInput("SEATS", "GBP", {"model": "flat", "amount": "1"}, AUGUST), actor=team
    )
    with writing():
        Price.objects.filter(pk=euro.pk).update(state="active")  # another currency is another price


def test_an_active_price_is_frozen_but_for_its_end(
    team: Actor,
    catalogue: dict[str, Sku],
    writing,  # type: ignore[no-untyped-def]
) -> None:
    active = Price.objects.get(sku__code="SEATS", currency="USD")
    for change in ({"spec": {"model": "flat", "amount": "1"}}, {"effective_from": JULY}, {"period": "year"}):
        with pytest.raises(Exception, match="immutable"), writing():
            Price.objects.filter(pk=active.pk).update(**change)
    with pytest.raises(Exception, match="only by a declared transition"), writing():
        Price.objects.filter(pk=active.pk).update(state="draft")
    with writing():
        Price.objects.filter(pk=active.pk).update(effective_to=OCTOBER)


def test_a_bad_price_is_named_with_its_sku_and_place(team: Actor, catalogue: dict[str, Sku]) -> None:
    bad = [
        PriceInput("SEATS", "USD", {"model": "per_unit", "unit_amount": 40.0}, AUGUST),
        PriceInput("NOPE", "US", {"model": "flat", "amount": "1"}, AUGUST, JULY, period="day"),
        PriceInput("SEATS", "USD", {"model": "prepaid", "amount": "1", "credit": "1"}, AUGUST),
    ]
    with pytest.raises(InvalidInput) as refused:
        services.draft_prices(bad, actor=team)
    fields = refused.value.fields
    assert "price of SEATS in USD: must be a decimal string" in fields["[0].spec.unit_amount"][0]
    assert fields["[1].sku"] == ["there is no SKU 'NOPE'"]
    assert set(fields) == {
        "[0].spec.unit_amount",
        "[1].sku",
        "[1].currency",
        "[1].period",
        "[1].effective_to",
        "[2].spec.model",
    }


def test_a_retired_price_leaves_room(team: Actor, catalogue: dict[str, Sku]) -> None:
    first = Price.objects.get(sku__code="SEATS", currency="USD")
    services.retire_price(first.pk, actor=team)
    again = services.draft_price(price("41.00", dt.date(2026, 1, 1)), actor=team)
    services.activate_price(again.pk, actor=team)
    assert listed() == [(2, "41.00", "2026-01-01", None)]


def test_skus_are_saved_by_code(team: Actor, catalogue: dict[str, Sku]) -> None:
    sku = services.save_sku("SEATS", product="AI", name="Seats", kind="recurring", unit="user", actor=team)
    assert (sku.pk, sku.unit, sku.revenue_treatment) == (catalogue["SEATS"].pk, "user", "ratable_daily")
    with pytest.raises(NotFound, match="There is no product 'X'"):
        services.save_sku("NEW", product="X", kind="usage", actor=team)
    with pytest.raises(InvalidInput, match="Unknown column: colour"):
        services.save_sku("SEATS", product="AI", colour="red", actor=team)
    with pytest.raises(InvalidInput, match="needs the property that holds the value"):
        services.save_meter("gb", name="GB", event_type="storage", actor=team)


def test_treatment_is_another_duty_than_the_sku(team: Actor, catalogue: dict[str, Sku]) -> None:
    billing = Actor.of(make_user("bill", "billing_ops"))
    accountant = Actor.of(make_user("rita", "revenue_policy"))
    services.save_sku("NEW", product="AI", name="New", kind="recurring", actor=billing)
    with pytest.raises(NotAuthorised, match=r"orders\.sku.attribute"):
        services.attribute_sku("NEW", gl_segment="100", actor=billing)
    with pytest.raises(NotAuthorised, match=r"orders\.catalogue.maintain"):
        services.save_sku("NEW", product="AI", name="Newer", kind="recurring", actor=accountant)
    sku = services.attribute_sku("NEW", revenue_treatment="ratable_daily", gl_segment="100", actor=accountant)
    assert (sku.revenue_treatment, sku.gl_segment) == ("ratable_daily", "100")
