"""Step 4: parts sum to the whole, and the published splits come out to the cent."""

from decimal import Decimal as D
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revenue.domain.allocation import (
    change_of_price,
    mirror,
    relative,
    residual,
    split,
    with_bundle,
)

AMOUNTS = st.integers(min_value=-(10**12), max_value=10**12).map(lambda cents: D(cents).scaleb(-2))
WEIGHTS = st.lists(st.integers(min_value=0, max_value=10**9), min_size=1, max_size=12).filter(any)


def test_100_over_three_equal_obligations_gives_the_odd_cent_to_the_last():
    """RND-3."""
    assert split(D("100.00"), [1, 1, 1], "USD") == [D("33.33"), D("33.33"), D("33.34")]


def test_yen_have_no_decimals():
    """RND-JPY: 10,000 JPY over three."""
    assert split(D("10000"), [1, 1, 1], "JPY") == [D("3333"), D("3333"), D("3334")]


def test_dinars_have_three_decimals():
    """RND-KWD: 10.000 KWD over three."""
    assert split(D("10.000"), [1, 1, 1], "KWD") == [D("3.333"), D("3.333"), D("3.334")]


def test_a_credit_mirrors_the_cents_of_its_original():
    """RND-NEG: -100 over 33.33, 33.33, 33.34."""
    assert mirror(D("-100.00"), [D("33.33"), D("33.33"), D("33.34")], "USD") == [
        D("-33.33"),
        D("-33.33"),
        D("-33.34"),
    ]


def test_half_of_a_termination_goes_to_each_of_two_equal_obligations():
    """SSP-D365-TERM: 2,000 over Services and Consumption at half each."""
    shares = relative(D("2000.00"), {"Services": D("0.5"), "Consumption": D("0.5")}, "USD")

    assert shares == {"Services": D("1000.00"), "Consumption": D("1000.00")}


@pytest.mark.parametrize(
    ("price", "ssps", "expected"),
    [
        pytest.param(
            "2000.00", {"goods": "2000", "points": "170"}, {"goods": "1843.32", "points": "156.68"},
            id="SSP-LOYALTY-FLH",
        ),
        pytest.param(
            "100.00", {"A": "100", "voucher": "12"}, {"A": "89.29", "voucher": "10.71"}, id="MR-49"
        ),
        pytest.param(
            "1000.00", {"X": "1000", "option": "120"}, {"X": "892.86", "option": "107.14"}, id="MR-IFRSC"
        ),
        pytest.param("300.00", {"X": "800", "Y": "1000"}, {"X": "133.33", "Y": "166.67"}, id="VAR-35B"),
        pytest.param(
            "200.00", {"X": "800", "Y": "1000"}, {"X": "88.89", "Y": "111.11"}, id="VAR-35B royalty"
        ),
    ],
)  # fmt: skip
def test_relative_allocation(price, ssps, expected):
    shares = relative(D(price), {name: D(ssp) for name, ssp in ssps.items()}, "USD")

    assert shares == {name: D(amount) for name, amount in expected.items()}


def test_the_residual_approach_is_refused_outside_the_range_in_which_the_item_sells():
    """SSP-34C: 105 less A 40 and the B+C bundle 60 leaves 5 for D, which sells for 15 to 45."""
    found = residual(D("105.00"), D("100.00"), low=D("15.00"), high=D("45.00"), highly_variable=True)

    assert found.amount == D("5.00")
    assert not found.is_allowed
    assert "outside the range" in found.refused


def test_the_residual_approach_stands_within_the_range():
    """Example 34, case B: 130 less 100 leaves 30 for D."""
    found = residual(D("130.00"), D("100.00"), low=D("15.00"), high=D("45.00"), highly_variable=True)

    assert found.is_allowed
    assert found.amount == D("30.00")


def test_a_stable_price_takes_no_residual():
    assert not residual(D("130.00"), D("100.00"), low=None, high=None, highly_variable=False).is_allowed


def test_a_residual_that_is_no_price_is_refused():
    assert not residual(D("90.00"), D("100.00"), low=None, high=None, highly_variable=True).is_allowed


def test_a_discount_that_is_a_bundles_goes_to_the_bundle_alone():
    """Example 34, case A: A 40, B 55, C 45 for 100; B and C regularly sell for 60 together."""
    ssps = {"A": D("40.00"), "B": D("55.00"), "C": D("45.00")}

    shares = with_bundle(D("100.00"), ssps, ["B", "C"], D("60.00"), "USD")

    assert shares == {"A": D("40.00"), "B": D("33.00"), "C": D("27.00")}


def test_a_discount_that_is_not_the_bundles_is_shared_by_all():
    ssps = {"A": D("40.00"), "B": D("55.00"), "C": D("45.00")}

    shares = with_bundle(D("70.00"), ssps, ["B", "C"], D("60.00"), "USD")

    assert shares == {"A": D("20.00"), "B": D("27.50"), "C": D("22.50")}


def test_a_change_of_a_price_promised_before_a_modification_reaches_back():
    """MOD-6: +40 promised for X and Y; X is delivered, Y and Z share what remains."""
    change = change_of_price(D("40.00"), {"X": D(1), "Y": D(1)}, ["X"], {"Y": D("450"), "Z": D("450")}, "USD")

    assert change.catch_up == {"X": D("20.00")}
    assert change.added == {"Y": D("10.00"), "Z": D("10.00")}


def test_nothing_promised_gets_nothing():
    assert relative(D("0.00"), {}, "USD") == {}


def test_free_obligations_share_evenly():
    assert relative(D("0.00"), {"A": D(0), "B": D(0)}, "USD") == {"A": D("0.00"), "B": D("0.00")}


@given(AMOUNTS, WEIGHTS)
def test_parts_always_sum_to_the_whole(total, weights):
    assert sum(split(total, weights, "USD")) == total


@given(AMOUNTS, WEIGHTS)
def test_no_part_is_more_than_a_cent_from_its_exact_share(total, weights):
    whole = sum(weights)

    for part, weight in zip(split(total, weights, "USD"), weights, strict=True):
        assert abs(Fraction(part) - Fraction(total) * weight / whole) < Fraction(1, 100)


@given(AMOUNTS.filter(lambda a: a > 0), WEIGHTS)
def test_a_full_credit_leaves_nothing(total, weights):
    original = split(total, weights, "USD")

    assert [a + b for a, b in zip(original, mirror(-total, original, "USD"), strict=True)] == [D(0)] * len(
        weights
    )
