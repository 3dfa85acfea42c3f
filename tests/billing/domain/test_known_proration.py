"""Published figures of other engines: proration, changes and cancellation.

Sources and conventions stand with each figure in the collection of known answers; the row is in the name.
Tax, where a row has any, belongs to invoices and is left out here.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import pytest

from billing.domain.proration import local_date, share
from billing.domain.types import Anchor, Frequency, Proration, Timing
from tests.billing.domain.contracts import (
    Books,
    calendar_line,
    contract,
    day,
    flat,
    line,
    per_unit,
    segment,
    usage_line,
    used,
)


@pytest.mark.parametrize(("price", "credit"), [("200.00", "-193.33"), ("160.00", "-154.67")])
def test_f1_f2_ended_on_the_first_day_credits_29_of_30_days(price: str, credit: str) -> None:
    """Lago credit_note_rounding_spec: the day of the end is still served, so `ends_on` is the next day."""
    books = Books()
    open_ended = contract(line(segment(1, "2025-09-18", None, flat(price))))
    assert books.amounts(open_ended, "2025-09-19") == [price]

    ended = contract(line(segment(1, "2025-09-18", "2025-09-19", flat(price))))

    assert books.amounts(ended, "2025-09-19") == [credit]


def test_f5_f6_a_calendar_stub_of_21_of_28_days_then_an_end_with_7_days_left() -> None:
    """Lago terminate_manually_spec."""
    books = Books()
    running = contract(calendar_line(segment(1, "2025-02-08", None, flat("100.00"))))
    assert books.amounts(running, "2025-02-09") == ["75.00"]

    ended = contract(calendar_line(segment(1, "2025-02-08", "2025-02-22", flat("100.00"))))

    assert books.amounts(ended, "2025-02-22") == ["-25.00"]


def test_f8_ended_on_the_first_day_credits_20_of_28_days() -> None:
    """Lago terminate_manually_spec:235; 71.42857... is 71.43, here because 75.00 - 3.57 is."""
    books = Books()
    books.run(contract(calendar_line(segment(1, "2025-02-08", None, flat("100.00")))), "2025-02-09")

    ended = contract(calendar_line(segment(1, "2025-02-08", "2025-02-09", flat("100.00"))))

    assert books.amounts(ended, "2025-02-09") == ["-71.43"]


def test_f9_a_trial_leaves_21_of_31_days() -> None:
    """Lago invoices_spec:36."""
    timeline = contract(calendar_line(segment(1, "2023-03-11", None, flat("35.00"))))

    assert Books().amounts(timeline, "2023-03-12") == ["23.71"]


@pytest.mark.parametrize(("zone", "expected"), [("America/Denver", "4.00"), ("America/Halifax", "3.00")])
def test_f10_the_contracts_time_zone_decides_the_first_day(zone: str, expected: str) -> None:
    """Lago invoices_spec:73-111: weekly 7.00 on the calendar from one instant."""
    starts_on = local_date(dt.datetime(2023, 6, 16, 5, tzinfo=dt.UTC), zone)
    stub = segment(1, str(starts_on), None, flat("7.00"))
    timeline = contract(calendar_line(stub, every=Frequency.WEEK), time_zone=zone)

    assert Books().amounts(timeline, "2023-06-17") == [expected]


def test_f12_an_upgrade_in_a_leap_february() -> None:
    """Lago invoices_spec:734: credit 18.00, new 180.00, usage 1.90, invoice 163.90."""
    books = Books()
    old = calendar_line(segment(1, "2024-02-01", None, flat("29.00")))
    assert books.amounts(contract(old), "2024-02-02") == ["29.00"]

    upgraded = calendar_line(
        segment(1, "2024-02-01", "2024-02-12", flat("29.00")), segment(2, "2024-02-12", None, flat("290.00"))
    )
    usage = usage_line(segment(3, "2024-02-01", "2024-02-12", per_unit("0.10")), id=2)
    lines = books.run(contract(upgraded, usage), "2024-02-13", used(("2024-02-03", "19"), line=2))

    assert [str(row.amount) for row in lines] == ["-18.00", "180.00", "1.90"]
    assert sum(row.amount for row in lines) == Decimal("163.90")


def test_f13_f14_a_billing_day_on_the_15th_makes_stubs_of_14_of_30_and_14_of_31_days() -> None:
    """Kill Bill TestWithBCDUpdate:111,169."""
    may = line(segment(1, "2012-05-01", None, flat("249.95")), anchor_on="2012-05-15")
    june = line(segment(1, "2012-06-01", None, flat("249.95")), anchor_on="2012-05-15")

    assert Books().amounts(contract(may), "2012-05-02") == ["116.64"]
    assert Books().amounts(contract(june), "2012-06-02") == ["112.88"]


def test_f16_a_billing_day_of_31_falls_on_the_last_of_a_leap_february() -> None:
    """Kill Bill TestIntegration:294: 29 of the 31 days from 29 February to 31 March."""
    timeline = contract(line(segment(1, "2012-03-02", None, flat("599.95")), anchor_on="2012-01-31"))

    assert Books().amounts(timeline, "2012-03-03") == ["561.24"]


def test_f17_f18_a_plan_change_with_and_without_a_moved_billing_day() -> None:
    """Kill Bill TestWithBCDUpdate:245-257, 289-290: repair -217.70; new 99.99 to the 10th, or 522.54."""
    old = line(segment(1, "2012-05-05", None, flat("249.95")), anchor_on="2012-05-01")
    moved, stayed = Books(), Books()
    assert moved.amounts(contract(old), "2012-05-06") == ["217.70"]
    stayed.run(contract(old), "2012-05-06")

    on_the_10th = line(segment(2, "2012-05-05", None, flat("599.95")), anchor_on="2012-05-10")
    on_the_1st = line(segment(2, "2012-05-05", None, flat("599.95")), anchor_on="2012-05-01")

    assert moved.amounts(contract(on_the_10th), "2012-05-06") == ["99.99", "-217.70"]
    assert stayed.amounts(contract(on_the_1st), "2012-05-06") == ["-217.70", "522.54"]


def test_f19_nine_of_31_days() -> None:
    """Kill Bill TestWithBCDUpdate:302: 599.95 for 1 to 10 June in the cycle 10 May to 10 June."""
    timeline = contract(line(segment(1, "2012-06-01", "2012-06-10", flat("599.95")), anchor_on="2012-05-10"))

    assert Books().amounts(timeline, "2012-06-02") == ["174.18"]


def test_f20_f21_annual_to_monthly_and_back_again() -> None:
    """Kill Bill TestSubscription:100-132: repair 355/365, new 21/31, and the undo of both."""
    books = Books()
    annual = line(segment(1, "2012-05-01", None, flat("2399.95")), every=Frequency.YEAR)
    books.run(contract(annual), "2012-05-02")

    cut = line(segment(1, "2012-05-01", "2012-05-11", flat("2399.95")), every=Frequency.YEAR)
    monthly = line(segment(2, "2012-05-11", None, flat("249.95")), id=2, anchor_on="2012-05-01")
    changed = books.run(contract(cut, monthly), "2012-05-12")
    assert [str(row.amount) for row in changed] == ["-2334.20", "169.32"]
    assert sum(row.amount for row in changed) == Decimal("-2164.88")

    undone = line(
        segment(1, "2012-05-01", "2012-05-11", flat("2399.95")),
        segment(3, "2012-05-11", None, flat("2399.95")),
        every=Frequency.YEAR,
    )
    emptied = line(segment(2, "2012-05-11", "2012-05-11", flat("249.95")), id=2, anchor_on="2012-05-01")
    back = books.run(contract(undone, emptied), "2012-05-12")

    assert [str(row.amount) for row in back] == ["2334.20", "-169.32"]
    assert sum(row.amount for row in back) == Decimal("2164.88")


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2022-05-15", "2022-05-23", "5.32"),
        ("2022-05-23", "2022-06-15", "14.63"),
        ("2022-06-23", "2022-07-15", "14.63"),
    ],
)
def test_f23_a_month_of_fixed_thirty_days(start: str, end: str, expected: str) -> None:
    """Kill Bill TestInvoiceFixedProration:102-124: 19.95 x 8/30 and 22/30."""
    fixed = line(segment(1, start, end, flat("19.95")), anchor_on="2022-05-15", proration=Proration.FIXED_30)

    assert Books().amounts(contract(fixed), "2023-01-01") == [expected]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2022-05-23", "2022-06-15"),
        ("2022-06-23", "2022-07-15"),
        ("2023-02-23", "2023-03-15"),
        ("2024-02-23", "2024-03-15"),
    ],
)
def test_f24_from_the_23rd_to_the_15th_is_22_of_30_in_every_month(start: str, end: str) -> None:
    """Kill Bill TestInvoiceDateUtilsWithFixedProration:42-62: 0.733333333."""
    a, b = day(start), day(end)
    period = (a.replace(day=15), b)

    assert share(Proration.FIXED_30, a, b, period) == Fraction(22, 30)


@pytest.mark.parametrize(
    ("price", "start", "end", "expected"),
    [
        ("900.00", "2012-04-01", "2012-04-11", "300.00"),
        ("1000.00", "2012-04-01", "2012-04-11", "333.33"),
        ("900.00", "2012-05-01", "2012-05-11", "290.32"),
        ("1000.00", "2012-05-01", "2012-05-11", "322.58"),
    ],
)
def test_f26_in_arrears_ten_days_of_a_month(price: str, start: str, end: str, expected: str) -> None:
    """Kill Bill TestWithInArrearSubscriptions:200,260."""
    timeline = contract(line(segment(1, start, end, flat(price)), timing=Timing.ARREARS))

    assert Books().amounts(timeline, end) == [expected]


def test_f27_a_quantity_of_7_then_10() -> None:
    """Kill Bill TestWithQuantityUpdate:51."""
    seats = line(
        segment(1, "2012-04-01", "2012-05-01", per_unit("29.95"), quantity="7"),
        segment(2, "2012-05-01", None, per_unit("29.95"), quantity="10"),
    )

    assert Books().amounts(contract(seats), "2012-05-02") == ["209.65", "299.50"]


@pytest.mark.parametrize(
    ("old", "new", "start", "change", "every", "expected"),
    [
        ("100", "300", "2025-06-01", "2025-06-16", Frequency.MONTH, ["-50.00", "150.00"]),
        ("100", "300", "2025-06-01", "2025-06-11", Frequency.MONTH, ["-66.67", "200.00"]),
        ("100", "300", "2024-02-18", "2024-02-25", Frequency.MONTH, ["-75.86", "227.59"]),
        ("1000", "3000", "2024-08-01", "2024-10-01", Frequency.YEAR, ["-832.88", "2498.63"]),
        ("5", "20", "2025-06-01", "2025-06-02", Frequency.MONTH, ["-4.83", "19.33"]),
        ("100", "200", "2025-04-01", "2025-04-16", Frequency.MONTH, ["-50.00", "100.00"]),
        ("10", "30", "2025-06-01", "2025-06-16", Frequency.MONTH, ["-5.00", "15.00"]),
    ],
    ids=["f29-half", "f29-third", "f30", "f31", "f34", "f35", "c13"],
)
def test_a_plan_change_in_advance_credits_the_old_and_debits_the_new(
    old: str, new: str, start: str, change: str, every: Frequency, expected: list[str]
) -> None:
    """Polar test_service_prorations and proration.mdx:113; Meteroid proration.rs:418; Flexprice."""
    books = Books()
    books.run(contract(line(segment(1, start, None, flat(old)), every=every)), str(day(start) + ONE))

    changed = line(segment(1, start, change, flat(old)), segment(2, change, None, flat(new)), every=every)

    assert books.amounts(contract(changed), str(day(change) + ONE)) == expected


ONE = dt.timedelta(days=1)


@pytest.mark.parametrize(
    ("start", "change", "credit"),
    [("2025-06-01", "2025-08-13", "-800.00"), ("2024-02-18", "2024-04-19", "-833.33")],
)
def test_f33_yearly_to_monthly(start: str, change: str, credit: str) -> None:
    """Polar test_service_prorations: 292/365 and 305/366 left; the monthly plan starts its own cycle."""
    books = Books()
    books.run(
        contract(line(segment(1, start, None, flat("1000")), every=Frequency.YEAR)), str(day(start) + ONE)
    )

    cut = line(segment(1, start, change, flat("1000")), every=Frequency.YEAR)
    monthly = line(segment(2, change, None, flat("100")), id=2)

    assert books.amounts(contract(cut, monthly), str(day(change) + ONE)) == [credit, "100.00"]


def test_f37_seats_from_5_to_10_at_half_of_the_period() -> None:
    """Meteroid proration.rs:672."""
    books = Books()
    books.run(contract(line(segment(1, "2025-04-01", None, per_unit("10"), quantity="5"))), "2025-04-02")

    more = line(
        segment(1, "2025-04-01", "2025-04-16", per_unit("10"), quantity="5"),
        segment(2, "2025-04-16", None, per_unit("10"), quantity="10"),
    )

    assert books.amounts(contract(more), "2025-04-17") == ["-25.00", "50.00"]


def test_f38_an_annual_price_on_a_monthly_cycle_is_30_of_365_days() -> None:
    """Meteroid proration.rs:766: 300.00, not 3,650."""
    addon = line(segment(1, "2025-04-01", None, flat("3650"), period=Frequency.YEAR))

    assert Books().amounts(contract(addon), "2025-04-02") == ["300.00"]


def test_f40_14_of_28_days() -> None:
    """Silver test_generate_docs:427."""
    timeline = contract(line(segment(1, "2015-02-01", "2015-02-15", flat("200")), timing=Timing.ARREARS))

    assert Books().amounts(timeline, "2015-02-15") == ["100.00"]


def test_r2_three_months_of_which_the_first_has_23_of_30_days() -> None:
    """erpnext #36953: 3,950 a month from 8 April to 30 June."""
    rent = calendar_line(segment(1, "2024-04-08", "2024-07-01", flat("3950")), timing=Timing.ARREARS)

    lines = Books().run(contract(rent), "2024-07-01")

    assert sum(row.amount for row in lines) == Decimal("10928.33")


@pytest.mark.parametrize(
    ("every", "start", "expected"),
    [
        (Frequency.WEEK, "2023-02-01", "6428.57"),
        (Frequency.MONTH, "2023-02-04", "8035.71"),
        (Frequency.QUARTER, "2023-02-04", "5600.00"),
    ],
    ids=["c1", "c2", "c3"],
)
def test_the_shortfall_of_a_commitment_follows_the_days(every: Frequency, start: str, expected: str) -> None:
    """Lago commitments/minimum: 10,000 committed, 1,000 of fees, both by the days of the first period."""
    fee = segment(1, start, None, flat("1000"))
    committed = segment(1, start, None, {"model": "minimum", "amount": "10000", "price": flat("1000")})
    through = "2023-04-02"

    of_fee = Books().run(contract(calendar_line(fee, every=every, timing=Timing.ARREARS)), through)[0]
    of_both = Books().run(contract(calendar_line(committed, every=every, timing=Timing.ARREARS)), through)[0]

    assert str(of_both.amount - of_fee.amount) == expected


def test_c4_exact_arithmetic_gives_a_cent_more_than_published() -> None:
    """Lago in_arrears_spec:149 publishes 8,235.61, the difference of two rounded parts; 9,000 x 334/365."""
    period = (day("2022-01-01"), day("2023-01-01"))
    part = share(Proration.ACTUAL_DAYS, day("2022-02-01"), day("2023-01-01"), period)

    assert round(9000 * part, 2) == Fraction("8235.62")


def test_f39_a_change_that_nets_to_zero_is_no_line() -> None:
    """Meteroid proration.rs:964-1004."""
    books = Books()
    books.run(contract(line(segment(1, "2025-04-01", None, flat("100"), price_id=7))), "2025-04-02")

    same_price = line(
        segment(1, "2025-04-01", "2025-04-16", flat("100"), price_id=7),
        segment(2, "2025-04-16", None, flat("100"), price_id=7),
    )

    assert books.run(contract(same_price), "2025-04-17") == []


def test_u28_a_price_a_day() -> None:
    """Tryton scenario_sale_subscription: 31 days x 10 a day at 10.00 is a quantity of 310."""
    daily = line(
        segment(1, "2015-01-01", "2015-02-01", per_unit("10"), quantity="10", period=Frequency.DAY),
        anchor=Anchor.CALENDAR,
        timing=Timing.ARREARS,
    )

    assert Books().amounts(contract(daily), "2015-02-01") == ["3100.00"]
