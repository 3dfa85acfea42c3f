"""Step 5: schedules by day and by month, against the published tables."""

from datetime import date
from decimal import Decimal as D
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2c.periods import Period
from revenue.domain.differences import evenly
from revenue.domain.schedules import at_point, by_month, by_progress, ratable, straight
from revenue.domain.types import Band, Measure, Remainder

DATES = st.dates(date(2020, 1, 1), date(2035, 12, 31))
AMOUNTS = st.integers(min_value=0, max_value=10**10).map(lambda cents: D(cents).scaleb(-2))


def table(plan):
    return {f"{s.month:%Y-%m}": str(s.amount) for s in plan}


def test_31_from_15_january_is_17_and_14():
    """ST-MONTHLY: 31.00 for 15 January to 14 February inclusive."""
    plan = ratable(D("31.00"), Period(date(2026, 1, 15), date(2026, 2, 15)), "USD")

    assert table(plan) == {"2026-01": "17.00", "2026-02": "14.00"}


def test_120_days_by_day():
    """ST-GRAN-DAY: 120.00 for 15 June to 12 October 2022."""
    plan = ratable(D("120.00"), Period(date(2022, 6, 15), date(2022, 10, 13)), "USD")

    assert [str(s.amount) for s in plan] == ["16.00", "31.00", "31.00", "30.00", "12.00"]


@pytest.mark.parametrize(
    ("year", "expected"),
    [
        (
            2024,
            "1016.39 950.82 1016.40 983.60 1016.40 983.60 1016.40 1016.39 983.61 1016.39 983.61 1016.39",
        ),
        (
            2026,
            "1019.18 920.55 1019.17 986.31 1019.17 986.30 1019.18 1019.18 986.30 1019.18 986.30 1019.18",
        ),
    ],
)
def test_a_year_in_a_leap_year_and_out_of_one(year, expected):
    """LEAP: 12,000.00 over 366 and over 365 days."""
    plan = ratable(D("12000.00"), Period(date(year, 1, 1), date(year + 1, 1, 1)), "USD")

    assert " ".join(str(s.amount) for s in plan) == expected


def test_every_prefix_of_a_cumulative_schedule_ties():
    """RND-CUM: 100.00 over 2026; rounding each month by itself would give 99.98."""
    plan = ratable(D("100.00"), Period(date(2026, 1, 1), date(2027, 1, 1)), "USD")

    assert " ".join(str(s.amount) for s in plan) == (
        "8.49 7.67 8.50 8.22 8.49 8.22 8.49 8.50 8.21 8.50 8.22 8.49"
    )


def test_months_of_nothing_do_not_stop_a_schedule():
    """RND-TINY: 0.05 over 2026."""
    plan = ratable(D("0.05"), Period(date(2026, 1, 1), date(2027, 1, 1)), "USD")

    assert " ".join(str(s.amount) for s in plan) == (
        "0.00 0.01 0.00 0.01 0.00 0.00 0.01 0.00 0.01 0.00 0.01 0.00"
    )


def test_a_service_that_ends_on_the_first_has_a_tail_of_one_day():
    """ENDS-ON-1ST: 180.00 for 14 November to 1 December 2018 inclusive."""
    plan = ratable(D("180.00"), Period(date(2018, 11, 14), date(2018, 12, 2)), "USD")

    assert table(plan) == {"2018-11": "170.00", "2018-12": "10.00"}


def test_500_days_leave_270_after_the_first_year():
    """TR-500D: 1,000.00 over 500 days, 365 of them in the first year."""
    plan = ratable(D("1000.00"), Period(date(2011, 1, 1), date(2012, 5, 15)), "USD")

    assert sum(s.amount for s in plan if s.month.year == 2011) == D("730.00")
    assert sum(s.amount for s in plan) == D("1000.00")


def test_an_annual_plan_earns_101_92_in_january():
    """R1: 1,200.00 a year, 365 days."""
    plan = ratable(D("1200.00"), Period(date(2026, 1, 1), date(2027, 1, 1)), "USD")

    assert plan[0].amount == D("101.92")
    assert sum(s.amount for s in plan[1:]) == D("1098.08")


def test_months_with_part_months_at_both_ends():
    """EOM-ERP-MONTHS: 1,200.00 for 31 January 2024 to 30 January 2025 inclusive."""
    plan = ratable(D("1200.00"), Period(date(2024, 1, 31), date(2025, 1, 31)), "USD", measure=Measure.MONTH)

    assert [str(s.amount) for s in plan] == ["3.23", *["100.00"] * 11, "96.77"]


def test_a_start_in_the_middle_of_a_month_gives_thirteen_months():
    """OD-MONTHS: 1,200.00 for twelve months from 16 April."""
    plan = ratable(D("1200.00"), Period(date(2026, 4, 16), date(2027, 4, 16)), "USD", measure=Measure.MONTH)

    assert [str(s.amount) for s in plan] == ["50.00", *["100.00"] * 11, "50.00"]


def test_whole_months_have_no_thirteenth():
    """OD-FULLMONTHS: 1,200.00 for twelve months from the 15th."""
    plan = ratable(
        D("1200.00"), Period(date(2026, 4, 15), date(2027, 4, 15)), "USD", measure=Measure.WHOLE_MONTH
    )

    assert [str(s.amount) for s in plan if s.amount] == ["100.00"] * 12


@pytest.mark.parametrize(
    ("amount", "start", "end", "expected"),
    [
        ("4800.00", date(2023, 1, 7), date(2023, 4, 1), "1379.32 1710.34 1710.34"),
        ("2000.00", date(2023, 1, 17), date(2023, 3, 16), "491.81 1016.39 491.80"),
    ],
    ids=["OCA-A", "OCA-I"],
)
def test_month_factors_with_the_odd_cent_first(amount, start, end, expected):
    plan = ratable(D(amount), Period(start, end), "EUR", measure=Measure.MONTH, remainder=Remainder.FIRST)

    assert " ".join(str(s.amount) for s in plan) == expected


def test_the_odd_cent_last():
    """ST, even months with the ends prorated: the last carries the remainder."""
    plan = ratable(
        D("92.00"), Period(date(2026, 1, 1), date(2026, 4, 1)), "USD", measure=Measure.MONTH,
        remainder=Remainder.LAST,
    )  # fmt: skip

    assert [str(s.amount) for s in plan] == ["30.67", "30.67", "30.66"]


def test_an_upfront_fee_without_a_material_right_is_earned_with_the_service():
    """UF-KPMG-CABLE: 50 + 12 x 100 is one price of 1,250 over the year."""
    plan = ratable(D("1250.00"), Period(date(2026, 1, 1), date(2027, 1, 1)), "USD", measure=Measure.MONTH)

    assert plan[0].amount == D("104.17")
    assert D("150.00") - plan[0].amount == D("45.83")
    assert sorted(str(s.amount) for s in plan) == ["104.16"] * 4 + ["104.17"] * 8


def test_two_free_months_are_earned_over_the_whole_term():
    """FREE-MONTHS: ten months billed at 1,000 for twelve months of service."""
    plan = ratable(D("10000.00"), Period(date(2026, 1, 1), date(2027, 1, 1)), "USD", measure=Measure.MONTH)

    assert plan[0].amount == D("833.33")
    assert plan[0].amount + plan[1].amount == D("1666.67")


def test_three_years_paid_ahead_spread_their_cents():
    """SF-30: 300.00 for 36 months; 100.00 in each year, never 8.45 at the end."""
    months = evenly(D("300.00"), 36, "USD")

    assert set(months) == {D("8.33"), D("8.34")}
    assert [sum(months[0:12]), sum(months[12:24]), sum(months[24:36])] == [D("100.00")] * 3


def test_a_price_step_for_the_same_service_is_earned_evenly():
    """RAMP-3Y: 100k, 150k and 200k a year for an unchanging service."""
    plan = ratable(D("450000.00"), Period(date(2025, 1, 1), date(2028, 1, 1)), "USD")

    years = [sum(s.amount for s in plan if s.month.year == year) for year in (2025, 2026, 2027)]
    assert years == [D("150000.00")] * 3


def test_a_step_in_seats_is_earned_as_the_seats_are_there():
    """RAMP-SEATS: 100, 150 and 200 seats at one price."""
    bands = [
        Band(date(2025, 1, 1), date(2026, 1, 1), D(100)),
        Band(date(2026, 1, 1), date(2027, 1, 1), D(150)),
        Band(date(2027, 1, 1), date(2028, 1, 1), D(200)),
    ]
    curve = straight(D("450000.00"), bands)

    plan = by_month(curve, Period(date(2025, 1, 1), date(2028, 1, 1)), "USD")

    years = [sum(s.amount for s in plan if s.month.year == year) for year in (2025, 2026, 2027)]
    assert years == [D("100000.00"), D("150000.00"), D("200000.00")]


def test_a_point_in_time_is_earned_in_its_month():
    plan = by_month(
        at_point(D("800.00"), date(2026, 2, 28)), Period(date(2026, 1, 1), date(2026, 4, 1)), "USD"
    )

    assert table(plan) == {"2026-01": "0.00", "2026-02": "800.00", "2026-03": "0.00"}


def test_progress_is_a_fraction_and_not_a_rounded_percentage():
    """MOD-8: 600,000 earned at 60% of 1,000,000; then 420/820 of 1,350,000: a catch-up of 91,463.41."""
    earned = by_progress(D("1350000.00"), [(date(2026, 3, 1), Fraction(420, 820))])

    plan = by_month(earned, Period(date(2026, 3, 1), date(2026, 4, 1)), "USD")

    assert plan[0].amount - D("600000.00") == D("91463.41")


@given(AMOUNTS, DATES, st.integers(min_value=1, max_value=2000), st.sampled_from(list(Measure)))
def test_a_schedule_sums_to_its_price(amount, start, days, measure):
    end = date.fromordinal(start.toordinal() + days)

    plan = ratable(amount, Period(start, end), "USD", measure=measure)

    assert sum(s.amount for s in plan) == amount
    assert all(s.amount >= 0 for s in plan)


@given(AMOUNTS, DATES, st.integers(min_value=1, max_value=1200), st.sampled_from(list(Remainder)))
def test_a_schedule_sums_to_its_price_wherever_the_cents_go(amount, start, days, remainder):
    end = date.fromordinal(start.toordinal() + days)

    assert sum(s.amount for s in ratable(amount, Period(start, end), "EUR", remainder=remainder)) == amount


@given(AMOUNTS, DATES, st.integers(min_value=1, max_value=1200))
def test_a_credit_of_the_whole_mirrors_every_month(amount, start, days):
    end = date.fromordinal(start.toordinal() + days)

    plan = ratable(amount, Period(start, end), "USD")
    credit = ratable(-amount, Period(start, end), "USD")

    assert [a.amount + b.amount for a, b in zip(plan, credit, strict=True)] == [D(0)] * len(plan)
