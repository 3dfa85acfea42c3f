"""Integer quantities with the remainder carried: nothing is lost, nothing invented."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partners.domain.carry import MAX_QUANTITY, HourUsage, freeze, whole_units

START = datetime(2026, 8, 1, tzinfo=UTC)
quantities = st.decimals(min_value=0, max_value=10**9, places=9)
units = st.sampled_from([Decimal("0.01"), Decimal(1), Decimal(1000), Decimal("0.000001"), Decimal("333.333")])


def hours(*used: str, late: dict[int, str] | None = None) -> list[HourUsage]:
    late = late or {}
    return [
        HourUsage(START + timedelta(hours=n), Decimal(amount), Decimal(late.get(n, "0")))
        for n, amount in enumerate(used)
    ]


def test_cents_pattern_meters_money_in_whole_cents() -> None:
    """Known answer 22: a charge of 12.50 on a dimension of 0.01 is a quantity of 1250."""
    assert whole_units(Decimal("12.50"), Decimal("0.01")) == (1250, Decimal(0))


def test_each_hour_sends_the_floor_and_carries_the_rest() -> None:
    frozen = freeze(hours("1500", "700", "800"), carry_in=Decimal(0), per_unit=Decimal(1000))

    assert [hour.quantity for hour in frozen] == [1, 1, 1]
    assert [hour.carry_out for hour in frozen] == [Decimal(500), Decimal(200), Decimal(0)]


def test_late_usage_of_a_frozen_hour_goes_out_with_the_next_hour() -> None:
    frozen = freeze(hours("500", "100", late={1: "450"}), carry_in=Decimal(0), per_unit=Decimal(1000))

    assert [(hour.quantity, hour.carry_out) for hour in frozen] == [(0, Decimal(500)), (1, Decimal(50))]


def test_a_correction_downwards_sends_nothing_and_carries_the_debt() -> None:
    frozen = freeze(hours("0", "5", late={0: "-3"}), carry_in=Decimal(0), per_unit=Decimal(1))

    assert [(hour.quantity, hour.carry_out) for hour in frozen] == [(0, Decimal(-3)), (2, Decimal(0))]


def test_a_quantity_above_the_services_limit_is_capped_and_carried() -> None:
    frozen = freeze(hours(str(MAX_QUANTITY + 7), "0"), carry_in=Decimal(0), per_unit=Decimal(1))

    assert [hour.quantity for hour in frozen] == [2_147_483_647, 7]


def test_a_dimension_unit_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="positive amount"):
        whole_units(Decimal(1), Decimal(0))


@given(used=st.lists(quantities, min_size=1, max_size=60), per_unit=units)
def test_what_is_sent_is_the_floor_of_what_was_used(used: list[Decimal], per_unit: Decimal) -> None:
    frozen = freeze(hours(*map(str, used)), carry_in=Decimal(0), per_unit=per_unit)

    total = sum(map(Fraction, used), Fraction(0))
    sent = sum(hour.quantity for hour in frozen)
    if all(hour.quantity < MAX_QUANTITY for hour in frozen):
        assert sent == total // Fraction(per_unit)
        assert Fraction(frozen[-1].carry_out) == total - sent * Fraction(per_unit)
        assert all(0 <= hour.carry_out < per_unit for hour in frozen)


@given(used=st.lists(quantities, min_size=2, max_size=40), per_unit=units, data=st.data())
def test_freezing_in_two_runs_equals_freezing_in_one(
    used: list[Decimal], per_unit: Decimal, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(1, len(used) - 1))
    all_hours = hours(*map(str, used))

    first = freeze(all_hours[:cut], carry_in=Decimal(0), per_unit=per_unit)
    second = freeze(all_hours[cut:], carry_in=first[-1].carry_out, per_unit=per_unit)

    assert first + second == freeze(all_hours, carry_in=Decimal(0), per_unit=per_unit)
