"""What is drawn first, what is given back, what expires: figures by hand, and properties."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from billing.domain.grants import Allocation, Drawn, Grant, Part, allocate, ending, first, worth

D = Decimal
AUGUST, SEPTEMBER, OCTOBER = dt.date(2026, 8, 1), dt.date(2026, 9, 1), dt.date(2026, 10, 1)
ANY = frozenset({1, 2})


def grant(pk: int, left: str, **values: object) -> Grant:
    return Grant(pk, D("1000.00"), D(left), dt.date(2026, 1, 1), **{"lines": ANY, **values})  # type: ignore[arg-type]


def part(now: str, before: str = "0.00", key: str = "aug", starts: dt.date = AUGUST, line: int = 1) -> Part:
    return Part(key, line, starts, dt.date(starts.year, starts.month + 1, 1), D(before), D(now))


def amounts(found: list[Allocation]) -> list[tuple[int, Decimal]]:
    return [(one.grant, one.amount) for one in found]


def test_a_part_is_paid_by_several_grants_and_then_by_money() -> None:
    found = allocate([grant(1, "600.00", priority=1), grant(2, "300.00")], [part("1000.00")])

    assert amounts(found) == [(1, D("600.00")), (2, D("300.00"))]


def test_priority_then_expiry_then_cost_basis_then_age() -> None:
    old = grant(1, "1.00")
    expiring = grant(2, "1.00", ends_on=dt.date(2026, 12, 1))
    sooner = grant(3, "1.00", ends_on=OCTOBER)
    preferred = grant(4, "1.00", priority=1)
    paid = grant(5, "1.00", paid=D("900.00"))
    young = Grant(6, D("1000.00"), D("1.00"), dt.date(2026, 2, 1), lines=ANY)

    ordered = sorted([paid, young, old, expiring, sooner, preferred], key=first)

    assert [one.id for one in ordered] == [4, 3, 2, 1, 6, 5]


def test_a_grant_pays_only_its_lines_on_its_days() -> None:
    elsewhere = grant(1, "50.00", lines=frozenset({9}))
    over = grant(2, "50.00", ends_on=AUGUST)
    later = Grant(3, D("50.00"), D("50.00"), SEPTEMBER, lines=ANY)

    assert allocate([elsewhere, over, later], [part("10.00")]) == []
    assert amounts(allocate([later], [part("10.00", starts=SEPTEMBER)])) == [(3, D("10.00"))]


def test_a_correction_gives_back_money_first_then_the_last_grant_drawn() -> None:
    """1,000.00 was paid by A 600.00, B 300.00 and 100.00 in money; it comes down to 500.00."""
    grants = [grant(1, "0.00", priority=1), grant(2, "0.00")]
    drawn = [Drawn(11, 1, "aug", AUGUST, D("600.00")), Drawn(12, 2, "aug", AUGUST, D("300.00"))]

    found = allocate(grants, [part("500.00", before="1000.00")], drawn)

    assert [(o.grant, o.amount, o.reverses) for o in found] == [
        (2, D("-300.00"), 12),
        (1, D("-100.00"), 11),
    ]
    assert allocate(grants, [part("950.00", before="1000.00")], drawn) == []


def test_what_was_paid_in_money_stays_so_when_a_grant_is_opened_later() -> None:
    assert allocate([grant(1, "500.00")], [part("100.00", before="100.00")]) == []
    assert amounts(allocate([grant(1, "500.00")], [part("130.00", before="100.00")])) == [(1, D("30.00"))]


def test_what_one_correction_gives_back_another_part_may_draw_at_once() -> None:
    drawn = [Drawn(1, 1, "aug", AUGUST, D("100.00"))]
    parts = [part("60.00", key="sep", starts=SEPTEMBER), part("40.00", before="100.00")]

    found = allocate([grant(1, "0.00")], parts, drawn)

    assert amounts(found) == [(1, D("-60.00")), (1, D("60.00"))]


def test_known_answer_c8_a_commitment_of_1000_pays_the_first_1000_of_10000() -> None:
    """FX: docs/prds/commitment-overage.md: 5,000 at 1 and 2,500 at 2, commit 1,000."""
    found = allocate([grant(1, "1000.00")], [part("5000.00"), part("5000.00", key="b", line=2)])

    assert amounts(found) == [(1, D("1000.00"))]


def test_a_grant_limited_to_some_dimensions_pays_at_most_what_they_come_to() -> None:
    """40.00 of 100.00 is of its model; another grant pays the rest; later 50.00 of 120.00 is."""
    grants = [grant(1, "500.00", priority=1), grant(2, "30.00")]
    one = Part("aug", 1, AUGUST, SEPTEMBER, D(0), D("100.00"), ((1, D("40.00")),))

    assert amounts(allocate(grants, [one])) == [(1, D("40.00")), (2, D("30.00"))]
    held = [Drawn(1, 1, "aug", AUGUST, D("40.00")), Drawn(2, 2, "aug", AUGUST, D("30.00"))]
    more = Part("aug", 1, AUGUST, SEPTEMBER, D("100.00"), D("120.00"), ((1, D("50.00")),))
    assert amounts(allocate([grant(1, "460.00"), grant(2, "0.00")], [more], held)) == [(1, D("10.00"))]


def test_the_rest_of_a_grant_rolls_over_or_expires() -> None:
    assert ending(D("800.00"), D(50), D("300.00"), "USD").rolled_over == D("300.00")
    assert ending(D("800.00"), D(50), D("300.00"), "USD").expired == D("500.00")
    assert ending(D("800.00"), D(0), None, "USD").expired == D("800.00")
    assert ending(D("1"), D(50), None, "JPY").rolled_over == D("1")


def test_worth_is_cumulative_and_ends_at_what_was_paid() -> None:
    assert worth(D("10000.00"), D("9000.00"), D("1000.00"), "USD") == D("900.00")
    assert worth(D("3.00"), D("1.00"), D("1.00"), "USD") == D("0.33")
    assert worth(D("3.00"), D("1.00"), D("3.00"), "USD") == D("1.00")


cents = st.integers(0, 100_000).map(lambda n: D(n) / 100)


@st.composite
def account(draw: st.DrawFn) -> tuple[list[Grant], list[Part]]:
    grants = [
        Grant(
            pk,
            D("5000.00"),
            draw(cents),
            draw(st.sampled_from([AUGUST, SEPTEMBER])),
            draw(st.sampled_from([None, SEPTEMBER, OCTOBER])),
            draw(st.sampled_from([D(0), D("4500.00")])),
            draw(st.integers(1, 2)),
            draw(st.sampled_from([ANY, frozenset({1})])),
        )
        for pk in range(1, draw(st.integers(1, 4)) + 1)
    ]
    parts = [
        Part(f"{line}-{starts}", line, starts, dt.date(2026, starts.month + 1, 1), D(0), draw(cents))
        for line in (1, 2)
        for starts in (AUGUST, SEPTEMBER)
    ]
    return grants, parts


def _left(grants: list[Grant], found: list[Allocation]) -> dict[int, Decimal]:
    left = {one.id: one.left for one in grants}
    for allocation in found:
        left[allocation.grant] -= allocation.amount
    return left


@given(account())
def test_no_grant_goes_below_zero_and_no_part_gets_more_than_it_is(
    case: tuple[list[Grant], list[Part]],
) -> None:
    grants, parts = case

    found = allocate(grants, parts)

    assert all(rest >= 0 for rest in _left(grants, found).values())
    for one in parts:
        own = sum((a.amount for a in found if a.key == one.key), D(0))
        assert D(0) <= own <= one.now
        if own < one.now:  # then nothing that could pay for it is left
            rest = _left(grants, found)
            assert not any(g.covers(one) and rest[g.id] for g in grants)


@given(account(), st.randoms(use_true_random=False))
def test_the_order_in_which_they_are_given_is_irrelevant(
    case: tuple[list[Grant], list[Part]], shuffle: random.Random
) -> None:
    grants, parts = case
    mixed_grants, mixed_parts = list(grants), list(parts)
    shuffle.shuffle(mixed_grants)
    shuffle.shuffle(mixed_parts)

    assert allocate(grants, parts) == allocate(mixed_grants, mixed_parts)


@given(account(), st.fractions(0, 1))
def test_restoring_is_the_inverse_of_drawing(case: tuple[list[Grant], list[Part]], share: Fraction) -> None:
    """Down to a share of each part is what drawing that much in the first place would have left."""
    grants, (one, *_) = case
    less = D(int(one.now * 100 * share.numerator // share.denominator)) / 100
    found = allocate(grants, [one])
    after = [_with(g, _left(grants, found)[g.id]) for g in grants]
    drawn = [Drawn(n, a.grant, a.key, a.starts, a.amount) for n, a in enumerate(found)]

    back = allocate(after, [Part(one.key, one.line, one.starts, one.ends, one.now, less)], drawn)

    directly = allocate(grants, [Part(one.key, one.line, one.starts, one.ends, D(0), less)])
    assert _left(after, back) == _left(grants, directly)


def _with(one: Grant, left: Decimal) -> Grant:
    return Grant(one.id, one.granted, left, one.starts_on, one.ends_on, one.paid, one.priority, one.lines)
