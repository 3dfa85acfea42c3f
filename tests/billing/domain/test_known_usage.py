"""Published figures of other engines: tiers, packages, minimums and metered aggregation."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from billing.domain import specs
from billing.domain.measures import of_quantity
from billing.domain.types import Aggregation, UsagePoint
from tests.billing.domain.contracts import (
    Books,
    calendar_line,
    contract,
    day,
    flat,
    per_unit,
    segment,
    tiers,
    usage_line,
    used,
)


def cost(spec: dict[str, Any], units: str) -> Fraction:
    return specs.parse(spec).rate(of_quantity(Fraction(units))).amount


def test_u1_graduated_with_flat_fees() -> None:
    """Lago: 10 / 20 / rest; flats 2, 3, 3; units 10, 5, 5. The first tier is entered at zero."""
    spec = tiers("graduated", ("10", "1", "2"), ("20", "5", "3"), (None, "5", "3"))
    spec["tiers"][0]["unit_amount"] = "10"

    assert [cost(spec, units) for units in ("0", "1", "10")] == [2, 12, 102]


def test_u2_volume_and_its_cliff() -> None:
    """Lago: 0-100: 2 + 10 flat; 101-200: 1; 201 and more: 0.5 + 50."""
    spec = tiers("volume", ("100", "2", "10"), ("200", "1", "0"), (None, "0.5", "50"))

    assert [cost(spec, units) for units in ("0", "1", "100", "100.5")] == [10, 12, 210, Fraction("100.5")]


def test_u4_graduated_prorated_by_the_time_each_unit_was_there() -> None:
    """Lago prorated_graduated_spec:192, recomputed: running totals of September, October carried."""
    spec = tiers("graduated", ("5", "10", "100"), ("15", "5", "50"), (None, "2", "0")) | {"prorated": True}
    seats = usage_line(
        segment(1, "2023-09-01", None, spec), anchor_on="2023-09-01", aggregation=Aggregation.WEIGHTED
    )
    changes = [
        ("2023-09-10", "2"),
        ("2023-09-16", "5"),
        ("2023-09-20", "-6"),
        ("2023-09-25", "10"),
        ("2023-09-26", "4"),
        ("2023-09-30", "60"),
        ("2023-10-17", "20"),
    ]

    running = [
        Books().amounts(contract(seats), "2023-10-01", used(*changes[:count])) for count in range(1, 7)
    ]
    october = [Books().amounts(contract(seats), "2023-11-01", used(*changes[:count]))[-1] for count in (6, 7)]

    assert running == [["114.00"], ["184.00"], ["165.67"], ["179.67"], ["183.00"], ["187.00"]]
    assert october == ["370.00", "389.35"]


def test_u5_weighted_sum() -> None:
    """Lago weighted_sum_agg_spec:43: 2,500 from 5 March on, 27 of 31 days."""
    gauge = usage_line(
        segment(1, "2023-03-01", "2023-04-01", per_unit("1")), aggregation=Aggregation.WEIGHTED
    )

    assert Books().amounts(contract(gauge), "2023-04-01", used(("2023-03-05", "2500"))) == ["2177.42"]


def test_u7_blocks_of_a_hundred() -> None:
    """Kill Bill TestUsageInArrear:91: 99 + 100 units at 2.95 a block."""
    blocks = usage_line(
        segment(1, "2012-04-01", "2012-05-01", {"model": "package", "size": "100", "amount": "2.95"})
    )
    usage = used(("2012-04-01", "99"), ("2012-04-15", "100"))

    assert Books().amounts(contract(blocks), "2012-05-01", usage) == ["5.90"]


PACKAGE = {"model": "package", "size": "10", "amount": "15"}
GRADUATED_14 = tiers("graduated", ("5", "1", "0"), ("10", "2", "0"), (None, "3", "0"))
VOLUME_16 = tiers("volume", ("5", "0", "100"), ("10", "0", "150"), ("15", "10", "0"), (None, "5", "0"))
VOLUME_16B = tiers("volume", ("5", "0", "100"), (None, "10", "0"))
VOLUME_18 = {"model": "minimum", "amount": "150", "price": tiers("volume", (None, "10", "0"))}


@pytest.mark.parametrize(
    ("spec", "before", "after", "first", "second"),
    [
        (PACKAGE, "1", "9", "15.00", None),
        (PACKAGE, "9", "11", "15.00", "15.00"),
        (PACKAGE, "1", "31", "15.00", "45.00"),
        (PACKAGE, "11", "9", "30.00", "-15.00"),
        (PACKAGE, "1", "0", "15.00", "-15.00"),
        (GRADUATED_14, "3", "7", "3.00", "6.00"),
        (GRADUATED_14, "3", "12", "3.00", "18.00"),
        (GRADUATED_14, "7", "3", "9.00", "-6.00"),
        (VOLUME_16, "15", "16", "150.00", "-70.00"),
        (VOLUME_16, "5", "7", "100.00", "50.00"),
        (VOLUME_16B, "5", "6", "100.00", "-40.00"),
    ],
    ids=["u13a", "u13b", "u13c", "u13d", "u13e", "u14a", "u14b", "u14c", "u16a", "u16b", "u16c"],
)
def test_correction_tables_sum_to_the_rating_of_the_last_quantity(
    spec: dict[str, Any], before: str, after: str, first: str, second: str | None
) -> None:
    """OpenMeter's delta tables: what is billed after a correction is what the last quantity costs."""
    books = Books()
    timeline = contract(usage_line(segment(1, "2025-01-01", "2025-02-01", spec)))

    assert books.amounts(timeline, "2025-02-01", used(("2025-01-10", before))) == [first]
    assert books.amounts(timeline, "2025-02-01", used(("2025-01-10", after))) == ([second] if second else [])


def test_u18_a_minimum_of_150() -> None:
    """OpenMeter tieredvolume_test, MinimumCommitment: 100 while open, 150 once the minimum applies."""
    assert cost(VOLUME_18["price"], "10") == 100  # type: ignore[arg-type]

    timeline = contract(usage_line(segment(1, "2025-01-01", "2025-02-01", VOLUME_18)))

    assert Books().amounts(timeline, "2025-02-01", used(("2025-01-10", "10"))) == ["150.00"]


def test_u21_tiers_with_flat_fees_and_usage_before() -> None:
    """OpenMeter tieredgraduated_test: 22 units 182; after 12 earlier ones, 10 more cost 22."""
    spec = tiers("graduated", ("5", "0", "100"), ("10", "0", "50"), ("15", "5", "0"), (None, "1", "0"))

    assert cost(spec, "22") == 182
    assert cost(spec, "22") - cost(spec, "12") == 15 + 7


def test_u21_over_the_term_the_second_month_continues_in_the_tiers() -> None:
    """The same figures, where the tiers run over the term: January ends at 12 units, February adds 10."""
    spec = tiers("graduated", ("5", "0", "100"), ("10", "0", "50"), ("15", "5", "0"), (None, "1", "0"))
    timeline = contract(usage_line(segment(1, "2025-01-01", "2025-03-01", spec | {"over_term": True})))
    usage = used(("2025-01-10", "12"), ("2025-02-10", "10"))

    assert Books().amounts(timeline, "2025-03-01", usage) == ["160.00", "22.00"]


@pytest.mark.parametrize(
    ("minimum", "used_amount", "start", "end", "expected"),
    [("10", "8", "2025-02-01", "2025-02-26", "0.93"), ("100", "70", "2023-02-04", "2023-03-01", "19.29")],
    ids=["c6", "c7"],
)
def test_a_minimum_is_prorated_with_the_period(
    minimum: str, used_amount: str, start: str, end: str, expected: str
) -> None:
    """Lago spending_minimum_spec:79,213: 10.00 x 25/28 - 8.00 and 100.00 x 25/28 - 70.00."""
    spec = {"model": "minimum", "amount": minimum, "price": per_unit(used_amount)}
    timeline = contract(calendar_line(*usage_line(segment(1, start, end, spec)).segments, **USAGE))

    total = Books().run(timeline, end, used((start, "1")))[0].amount

    assert str(total - Decimal(used_amount)) == expected


USAGE: dict[str, Any] = {"kind": usage_line().kind, "timing": usage_line().timing}


def test_c9_the_shortfall_of_a_minimum() -> None:
    """Lago guide/plans/commitment: committed 500, used 300."""
    spec = {"model": "minimum", "amount": "500", "price": per_unit("1")}
    timeline = contract(usage_line(segment(1, "2025-01-01", "2025-02-01", spec)))

    lines = Books().run(timeline, "2025-02-01", used(("2025-01-10", "300")))

    assert lines[0].amount - 300 == Decimal("200.00")
    assert lines[0].expected is not None


def test_latest_max_unique_and_count() -> None:
    """One month of readings: 3, 8, 5; two of them by the same subject."""
    readings = [
        UsagePoint(day("2025-01-02"), Decimal(3), at=dt.datetime(2025, 1, 2, 9, tzinfo=dt.UTC), subject="a"),
        UsagePoint(day("2025-01-09"), Decimal(8), at=dt.datetime(2025, 1, 9, 9, tzinfo=dt.UTC), subject="b"),
        UsagePoint(day("2025-01-20"), Decimal(5), at=dt.datetime(2025, 1, 20, 9, tzinfo=dt.UTC), subject="a"),
    ]

    def billed(aggregation: Aggregation) -> list[str]:
        counted = usage_line(segment(1, "2025-01-01", "2025-02-01", per_unit("1")), aggregation=aggregation)
        return Books().amounts(contract(counted), "2025-02-01", {1: readings})

    assert billed(Aggregation.LATEST) == ["5.00"]
    assert billed(Aggregation.MAX) == ["8.00"]
    assert billed(Aggregation.UNIQUE) == ["2.00"]
    assert billed(Aggregation.COUNT) == ["3.00"]


def test_flat_usage_price_is_due_without_usage() -> None:
    timeline = contract(usage_line(segment(1, "2025-01-01", "2025-02-01", flat("20"))))

    assert Books().amounts(timeline, "2025-02-01") == ["20.00"]
