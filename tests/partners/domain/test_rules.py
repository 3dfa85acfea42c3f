"""Window, allocations, handling table, amounts: the service's rules as data."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from partners.domain.allocations import Allocation, problems
from partners.domain.amounts import parse_amount, parse_time
from partners.domain.capability import AWS_MARKETPLACE, CapabilitySheet
from partners.domain.outcomes import Disposition, handling
from partners.domain.window import Verdict, Window


def at(day: int, hour: int, minute: int = 0, month: int = 8) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("timestamp", "now", "expected"),
    [
        (at(10, 12), at(10, 17, 59), Verdict.SENDABLE),
        (at(10, 12), at(10, 18, 0), Verdict.LATE),
        (at(10, 12), at(10, 11, 59), Verdict.EARLY),
        (at(31, 23), at(1, 4, 59, month=9), Verdict.SENDABLE),
        (at(31, 23), at(1, 5, 0, month=9), Verdict.LATE),
    ],
)
def test_six_hours_is_already_too_late(timestamp: datetime, now: datetime, expected: Verdict) -> None:
    assert Window().verdict(timestamp, now) is expected


def test_a_wider_window_still_closes_at_six_on_the_first() -> None:
    window = Window(accepts_for=timedelta(hours=24))

    assert window.verdict(at(31, 20), at(1, 5, 59, month=9)) is Verdict.SENDABLE
    assert window.verdict(at(31, 20), at(1, 6, 0, month=9)) is Verdict.LATE


def test_an_unsent_hour_warns_after_one_hour_and_pages_after_three() -> None:
    window = Window()

    alarms = [window.alarm(at(10, 8), at(10, hour)) for hour in (9, 10, 12, 14)]
    assert alarms == ["", "warn", "page", "lost"]


def test_allocations_must_add_up_and_differ() -> None:
    """Known answer 23: 60+40 of 100 passes, 60+41 and two identical tag sets do not."""
    a, b = {"team": "search"}, {"team": "support"}

    assert problems(100, [Allocation(60, a), Allocation(40, b)]) == []
    assert problems(100, [Allocation(60, a), Allocation(41, b)]) == [
        "the allocations add up to 101 and the record meters 100"
    ]
    assert problems(100, [Allocation(60, a), Allocation(40, a)]) == [
        "two allocations carry the same set of tags"
    ]


def test_a_duplicate_is_a_break_and_never_a_success() -> None:
    duplicate = handling("DuplicateRecord")

    assert (duplicate.disposition, duplicate.break_type) == (Disposition.HELD, "METER_QTY")
    assert handling("CustomerNotSubscribed").break_type == "METER_REJECT"
    assert handling("TimestampOutOfBoundsException").break_type == "METER_LATE"
    assert handling("SomethingNew").disposition == Disposition.HELD


def test_amounts_of_the_refund_tool_are_read_as_printed() -> None:
    """Known answer 24: submitted equals completed, 2,635.75, and 45.00 failed."""
    completed = [
        parse_amount(text) for text in ("$150.00 ", '"$1,200.00 "', "$320.25 ", "$890.00 ", "$75.50 ")
    ]

    assert completed[1] == Decimal("1200.00")
    assert sum(completed) == Decimal("2635.75")
    assert parse_amount("$45.00 ") == Decimal("45.00")
    assert parse_amount("(12.10)") == Decimal("-12.10")
    with pytest.raises(ValueError, match="not an amount"):
        parse_amount("")


def test_feed_times_come_in_three_prints_and_null() -> None:
    assert parse_time("2018-12-31T00:04:07Z") == datetime(2018, 12, 31, 0, 4, 7, tzinfo=UTC)
    assert parse_time("2024-12-24 11:31:47.0") == datetime(2024, 12, 24, 11, 31, 47, tzinfo=UTC)
    assert parse_time("2025-11-06 00:00:00.000000") == datetime(2025, 11, 6, tzinfo=UTC)
    assert parse_time("null") is None
    assert parse_time(" ") is None


def test_the_shipped_sheet_is_whole_and_a_sheet_with_a_hole_is_refused() -> None:
    sheet = CapabilitySheet.parse(AWS_MARKETPLACE)

    assert sheet.metering.max_records == 25
    assert sheet.metering.window.accepts_for == timedelta(hours=6)
    assert not sheet.payment.own_dunning
    with pytest.raises(ValueError, match="lacks 'fees'"):
        CapabilitySheet.parse({key: value for key, value in AWS_MARKETPLACE.items() if key != "fees"})
