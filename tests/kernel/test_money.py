"""Money is exact, rounded in one place, and split without losing a cent."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2c.errors import InvalidInput
from o2c.money import Money, allocate, minor_units, quantize
from o2c.money.arithmetic import round_half_up


@pytest.mark.parametrize(("currency", "digits"), [("JPY", 0), ("USD", 2), ("KWD", 3), ("EUR", 2)])
def test_a_currency_knows_its_minor_unit(currency: str, digits: int) -> None:
    assert minor_units(currency) == digits


def test_a_code_that_is_no_currency_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="'XQQ' is not an ISO 4217"):
        minor_units("XQQ")


@pytest.mark.parametrize(
    ("value", "currency", "rounded"),
    [
        (Fraction("2.345"), "USD", "2.35"),
        (Fraction("-2.345"), "USD", "-2.35"),
        (Fraction("2.3449999"), "USD", "2.34"),
        (Fraction("0.5"), "JPY", "1"),
        (Fraction("1.0005"), "KWD", "1.001"),
        (Fraction(200 * 29, 30), "USD", "193.33"),
    ],
)
def test_halves_round_away_from_zero(value: Fraction, currency: str, rounded: str) -> None:
    assert str(quantize(value, currency)) == rounded


def test_a_float_is_refused_before_it_does_harm() -> None:
    with pytest.raises(InvalidInput, match="not exact"):
        quantize(0.1, "USD")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="not exact"):
        Money(0.1, "USD")  # type: ignore[arg-type]


def test_currencies_are_never_mixed() -> None:
    with pytest.raises(InvalidInput, match="USD and EUR cannot be combined"):
        Money(Decimal(1), "USD") + Money(Decimal(1), "EUR")


def test_the_first_of_equal_remainders_takes_the_cent() -> None:
    assert allocate(Decimal("100.00"), [1, 1, 1], "USD") == [
        Decimal("33.34"), Decimal("33.33"), Decimal("33.33")
    ]  # fmt: skip
    assert allocate(Decimal("-100"), [1, 1, 1], "JPY") == [Decimal(-34), Decimal(-33), Decimal(-33)]


def test_nothing_to_weigh_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Weights"):
        allocate(Decimal("1.00"), [0, 0], "USD")


@given(
    units=st.integers(-(10**12), 10**12),
    weights=st.lists(st.integers(0, 10**6), min_size=1, max_size=40).filter(any),
    currency=st.sampled_from(["JPY", "USD", "KWD"]),
)
def test_parts_sum_to_the_whole_and_each_is_within_a_unit_of_its_share(
    units: int, weights: list[int], currency: str
) -> None:
    total = Decimal(units).scaleb(-minor_units(currency))

    parts = allocate(total, weights, currency)

    assert sum(parts) == total
    unit = Fraction(1, 10 ** minor_units(currency))
    for part, weight in zip(parts, weights, strict=True):
        assert abs(Fraction(part) - Fraction(total) * Fraction(weight, sum(weights))) < unit


@given(value=st.fractions(-(10**9), 10**9), digits=st.integers(0, 6))
def test_rounding_moves_a_value_by_half_a_unit_at_most(value: Fraction, digits: int) -> None:
    assert abs(Fraction(round_half_up(value, digits)) - value) <= Fraction(1, 2 * 10**digits)
