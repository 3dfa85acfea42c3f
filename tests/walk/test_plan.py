"""The demonstration company is the same for the same seed, and looks like the real thing."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from decimal import Decimal

from stdnum.util import get_cc_module

from o2c.demo.plan.catalogue import SKUS, scaled
from o2c.demo.plan.company import exchange_rates
from o2c.demo.plan.deals import deals
from o2c.demo.plan.payments import payment
from o2c.demo.plan.usage import UsageSource, usage_rows

AUGUST, SEPTEMBER = dt.date(2026, 8, 1), dt.date(2026, 9, 1)


def source(**changed: object) -> UsageSource:
    values: dict[str, object] = {
        "key": "k", "customer": "C", "usage_key": "u", "meter": "m", "dimensions": (),
        "time_zone": "Europe/Berlin", "daily": Decimal(24000), "weight": 1, "starts_on": AUGUST,
        "ends_on": dt.date(2027, 8, 1),
    }  # fmt: skip
    return UsageSource(**(values | changed))  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_company_and_another_seed_another() -> None:
    assert list(deals(1, 40)) == list(deals(1, 40))
    assert list(deals(1, 40)) != list(deals(2, 40))


def test_three_hundred_customers_cover_the_entities_currencies_and_changes() -> None:
    plans = list(deals(1, 300))

    assert {plan.currency for plan in plans} == {"USD", "EUR", "GBP"}
    assert {plan.entity for plan in plans} == {"US", "IE"}
    assert len({plan.company.name for plan in plans}) == 300
    assert {change.kind for plan in plans for change in plan.amendments} == {
        "quantity", "price", "cancel", "renew"
    }  # fmt: skip
    assert {line.sku for plan in plans for line in plan.lines} >= {
        "API-IN", "API-ROUTED", "API-REQ", "EMB", "IMG", "SEAT-ENT", "PLATFORM", "ONBOARD", "COMMIT-S",
        "COMMIT-L",
    }  # fmt: skip
    assert [plan.channel for plan in plans].count("aws") == 1
    assert any(plan.commitments for plan in plans)


def test_vat_numbers_have_right_check_digits() -> None:
    for plan in deals(1, 120):
        if plan.company.country != "US":
            module = get_cc_module(plan.company.country, "vat")
            assert module is not None
            assert module.is_valid(plan.company.tax_id), plan.company


def test_amendments_lie_within_the_term() -> None:
    for plan in deals(3, 300):
        for change in plan.amendments:
            assert plan.starts_on < change.effective_on <= plan.ends_on


def test_prices_scale_by_currency_and_thresholds_do_not() -> None:
    requests = next(plan for plan in SKUS if plan.code == "API-REQ")

    euro = scaled(requests.spec, Decimal("0.92"))

    assert [tier["up_to"] for tier in euro["tiers"]] == ["100000", "1000000", None]
    assert [tier["unit_amount"] for tier in euro["tiers"]] == ["0.00184", "0.00138", "0.00092"]


def test_usage_follows_the_working_week_and_meets_its_mean() -> None:
    rows = list(usage_rows([source()], seed=1, since=AUGUST, until=SEPTEMBER, total=6000))

    by_weekday = Counter(row.at.weekday() for row in rows)
    assert by_weekday[1] > 2 * by_weekday[6]
    total = sum(row.quantity for row in {row.event_id: row for row in rows}.values())
    assert abs(Decimal(total) / (24000 * 31) - 1) < Decimal("0.03")


def test_some_events_come_twice_and_some_come_late() -> None:
    rows = list(usage_rows([source()], seed=1, since=AUGUST, until=SEPTEMBER, total=6000))

    twice = [n for n in Counter(row.event_id for row in rows).values() if n == 2]
    late = [row for row in rows if row.received_on > row.at.date()]
    assert 20 < len(twice) < 100
    assert 15 < len(late) < 100


def test_no_event_lies_outside_the_service() -> None:
    begins = dt.date(2026, 8, 20)

    rows = list(usage_rows([source(starts_on=begins)], seed=1, since=AUGUST, until=SEPTEMBER, total=500))

    assert min(row.at for row in rows) >= dt.datetime(2026, 8, 19, 22, tzinfo=dt.UTC)
    assert (
        list(usage_rows([source(starts_on=SEPTEMBER)], seed=1, since=AUGUST, until=SEPTEMBER, total=9)) == []
    )


def test_exchange_rates_move_slowly_on_working_days() -> None:
    rates = [row for row in exchange_rates(1) if row[:2] == ("EUR", "USD")]

    assert all(day.weekday() < 5 for _, _, day, _ in rates)
    assert all(Decimal("1.05") < rate < Decimal("1.30") for *_, rate in rates)


def test_customers_pay_full_short_over_late_or_not_at_all() -> None:
    plans = [
        payment(1, f"INV-{n}", Decimal("1000.00"), "USD", AUGUST, dt.date(2026, 8, 31)) for n in range(600)
    ]

    kinds = Counter(
        "none" if p is None else "short" if p.amount < 1000 else "over" if p.amount > 1000 else "full"
        for p in plans
    )
    assert set(kinds) == {"none", "short", "over", "full"}
    assert kinds["full"] > 500
    assert any(p is not None and p.received_on > dt.date(2026, 8, 31) for p in plans)
