"""Modifications per obligation: the treatments of 606-10-25 and the curve that follows."""

from datetime import date
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revenue.domain.modifications import Change, blend, decide, in_force, plan
from revenue.domain.types import Band, Measure, Treatment, Version

YEAR = Band(date(2026, 1, 1), date(2027, 1, 1))


def months(versions, measure=Measure.DAY):
    return {f"{s.month:%Y-%m}": str(s.amount) for s in plan(versions, "USD", measure)}


HALF_YEAR = Version(
    date(2026, 1, 1), D("600.00"), (Band(date(2026, 1, 1), date(2026, 7, 1)),), Treatment.INITIAL
)
FIRST_QUARTER = (Band(date(2026, 1, 1), date(2026, 4, 1)),)


def test_units_at_their_own_price_are_a_separate_contract():
    """MOD-5A: 120 units at 100, half delivered, 30 more at their SSP of 95."""
    decision = decide(Change(adds_distinct=True, at_standalone_price=True))

    assert decision.treatment is Treatment.SEPARATE
    assert 60 * D(100) + 60 * D(100) + 30 * D(95) == D(14850)


def test_units_below_their_price_blend_with_what_is_left():
    """MOD-5B: 60 left at 100 and 30 more at 80 are 8,400 over 90; the credit of 900 is revenue lost now."""
    decision = decide(Change(adds_distinct=True, at_standalone_price=False))
    left = blend(D("6000.00"), 60, D("2400.00"), 30)

    assert decision.treatment is Treatment.PROSPECTIVE
    assert (left.consideration, left.units) == (D("8400.00"), 90)
    assert round(left.unit_price, 2) == round(D("93.33"), 2)
    assert D("6000.00") - 15 * 60 + left.consideration == D("13500.00")


def test_the_unrecognised_original_price_is_part_of_the_new_contract():
    """MOD-200U-C: 4,000 unrecognised + 3,000 new over 100 units is 70 a unit, 19,000 in all."""
    left = blend(D("4000.00"), 50, D("3000.00"), 50)

    assert left.unit_price == 70
    assert D("12000.00") + left.consideration == D("19000.00")


def test_units_at_their_new_price_leave_the_old_contract_alone():
    """MOD-200U-A: 16,000 and 50 more at their SSP of 75."""
    assert decide(Change(adds_distinct=True, at_standalone_price=True)).treatment is Treatment.SEPARATE
    assert D("16000.00") + 50 * D("75.00") == D("19750.00")


def test_a_promise_that_is_not_distinct_catches_up():
    """MOD-8 in kind: one partly satisfied promise."""
    assert decide(Change(remaining_distinct=False)).treatment is Treatment.CUMULATIVE


def test_a_change_that_nobody_approved_changes_nothing():
    assert decide(Change(approved=False)).treatment is Treatment.NONE


def test_an_upgrade_within_the_month():
    """ST-UPGRADE: 90 a month from 1 April, 120 a month from the 21st: 60 + 40."""
    april = Band(date(2026, 4, 1), date(2026, 5, 1))

    assert months(
        [
            Version(date(2026, 4, 1), D("90.00"), (april,), Treatment.INITIAL),
            Version(date(2026, 4, 21), D("100.00"), (april,)),
        ]
    ) == {"2026-04": "100.00"}


def test_a_discount_for_future_months_is_spread_over_them():
    """CB-DISC: six months at 100, a credit of 60 in April."""
    half_year = Band(date(2026, 1, 1), date(2026, 7, 1))

    found = months(
        [
            Version(date(2026, 1, 1), D("600.00"), (half_year,), Treatment.INITIAL),
            Version(date(2026, 4, 1), D("540.00"), (half_year,)),
        ],
        Measure.MONTH,
    )

    assert list(found.values()) == ["100.00", "100.00", "100.00", "80.00", "80.00", "80.00"]


def test_leaving_with_a_full_refund_takes_everything_back_when_it_happens():
    """CB-FULLREFUND: six months at 100, cancelled in April, all refunded."""
    found = months(
        [
            HALF_YEAR,
            Version(date(2026, 4, 1), D("0.00"), FIRST_QUARTER),
        ],
        Measure.MONTH,
    )

    assert list(found.values()) == ["100.00", "100.00", "100.00", "-300.00", "0.00", "0.00"]


def test_leaving_with_a_prorated_refund_keeps_what_was_earned():
    """CB-PRORATED: 300 of 600 refunded in April."""
    found = months(
        [
            HALF_YEAR,
            Version(date(2026, 4, 1), D("300.00"), FIRST_QUARTER),
        ],
        Measure.MONTH,
    )

    assert list(found.values()) == ["100.00", "100.00", "100.00", "0.00", "0.00", "0.00"]


def test_leaving_without_a_refund_earns_the_rest_at_once():
    found = months(
        [
            HALF_YEAR,
            Version(date(2026, 4, 1), D("600.00"), FIRST_QUARTER),
        ],
        Measure.MONTH,
    )

    assert found["2026-04"] == "300.00"


def test_fewer_seats_without_a_refund_change_nothing():
    """DOWNGRADE-CREDIT: 10 seats for 12,000, 8 from July, price unchanged: still 1,000 a month."""
    found = months(
        [
            Version(date(2026, 1, 1), D("12000.00"), (Band(YEAR.start, YEAR.end, D(10)),), Treatment.INITIAL),
            Version(
                date(2026, 7, 1),
                D("12000.00"),
                (
                    Band(date(2026, 1, 1), date(2026, 7, 1), D(10)),
                    Band(date(2026, 7, 1), date(2027, 1, 1), D(8)),
                ),
            ),
        ],
        Measure.MONTH,
    )

    assert set(found.values()) == {"1000.00"}


def test_seats_added_at_their_price_earn_from_their_day_on():
    """COTERM: 10 seats at 1,200 a year with 90 of 365 days left: 2,958.90, 32.88 a day."""
    base = Band(date(2026, 1, 1), date(2027, 1, 1), D(100))
    added_on = date(2026, 10, 3)
    seats = (Band(base.start, added_on, D(100)), Band(added_on, base.end, D(110)))
    before = Version(base.start, D("120000.00"), (base,), Treatment.INITIAL)

    separate = months([before, Version(added_on, D("122958.90"), seats, Treatment.SEPARATE)])
    alone = months([before])

    assert D(separate["2026-09"]) == D(alone["2026-09"])
    assert sum(map(D, separate.values())) - sum(map(D, alone.values())) == D("2958.90")
    assert D(separate["2026-11"]) - D(alone["2026-11"]) == D("986.30")  # 30 days at 32.8767


def test_a_renewal_at_another_price_leaves_the_first_term_alone():
    """Signed in November for the next year at twice the price: the first year does not move."""
    first = Version(YEAR.start, D("1200.00"), (YEAR,), Treatment.INITIAL)
    both = (Band(date(2026, 1, 1), date(2028, 1, 1)),)
    renewed = Version(date(2026, 11, 5), D("3600.00"), both, Treatment.SEPARATE)

    found = plan([first, renewed], "USD")

    assert [s.amount for s in found[:12]] == [s.amount for s in plan([first], "USD")]
    assert sum(s.amount for s in found[12:]) == D("2400.00")


def test_a_termination_fee_is_earned_over_the_notice():
    """TERM-FEE: 1,000 a month, a month of notice left and a fee of 1,200: that month earns 2,200."""
    found = months(
        [
            Version(date(2026, 1, 1), D("12000.00"), (YEAR,), Treatment.INITIAL),
            Version(date(2026, 6, 1), D("7200.00"), (Band(date(2026, 1, 1), date(2026, 7, 1)),)),
        ],
        Measure.MONTH,
    )

    assert found["2026-05"] == "1000.00"
    assert found["2026-06"] == "2200.00"


def test_a_version_that_reaches_back_replaces_the_later_ones():
    june = Version(date(2026, 6, 1), D("130.00"), (YEAR,))
    march = Version(date(2026, 3, 1), D("140.00"), (YEAR,))
    first = Version(date(2026, 1, 1), D("120.00"), (YEAR,), Treatment.INITIAL)

    assert in_force([first, june, march]) == [first, march]


CHANGES = st.lists(
    st.tuples(
        st.integers(0, 360),
        st.integers(0, 10**8),
        st.sampled_from([Treatment.PROSPECTIVE, Treatment.CUMULATIVE, Treatment.SEPARATE]),
        st.integers(1, 500),
    ),
    max_size=6,
)


def _versions(changes):
    start = date(2026, 1, 1)
    versions = [Version(start, D("12000.00"), (Band(start, YEAR.end, D(10)),), Treatment.INITIAL)]
    for day, cents, treatment, seats in changes:
        on = date.fromordinal(start.toordinal() + day)
        bands: tuple[Band, ...] = (Band(on, YEAR.end, D(seats)),)
        if on > start:
            bands = (Band(start, on, D(10)), *bands)
        versions.append(Version(on, D(cents).scaleb(-2), bands, treatment))
    return versions


@given(CHANGES)
def test_a_schedule_sums_to_the_last_price_whatever_came_before(changes):
    versions = _versions(changes)

    assert sum(s.amount for s in plan(versions, "USD")) == versions[-1].price


@given(CHANGES.filter(len), st.randoms())
def test_the_order_of_the_changes_is_irrelevant_for_the_total(changes, random):
    last = changes[-1]
    shuffled = changes[:-1]
    random.shuffle(shuffled)

    one = sum(s.amount for s in plan(_versions(changes), "USD"))
    other = sum(s.amount for s in plan(_versions([*shuffled, last]), "USD"))

    assert one == other


@given(CHANGES.filter(len))
def test_a_version_never_changes_what_was_earned_before_it(changes):
    versions = _versions(changes)
    on = versions[-1].effective_on
    before = {s.month: s.amount for s in plan(versions[:-1], "USD")}
    after = {s.month: s.amount for s in plan(versions, "USD")}

    closed = [month for month in before if (month.replace(day=28) - on).days < -31]

    assert [after.get(month, D(0)) for month in closed] == [before[month] for month in closed]


@pytest.mark.parametrize("measure", [Measure.DAY, Measure.MONTH])
def test_without_changes_the_curve_is_the_plain_schedule(measure):
    versions = [Version(YEAR.start, D("100.00"), (YEAR,), Treatment.INITIAL)]

    assert sum(s.amount for s in plan(versions, "USD", measure)) == D("100.00")
