"""Which invoices a receipt seems to pay, and how old what is open is."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.ageing import Item, age, bucket
from billing.domain.cash_application import OpenItem, Tier, fill, named, propose

D = Decimal
MARCH = dt.date(2026, 3, 1)
APRIL = dt.date(2026, 4, 1)
FIRST = OpenItem(1, "US-INV-2026-000123", D("100.00"), MARCH)
SECOND = OpenItem(2, "US-INV-2026-000132", D("250.00"), APRIL)
OTHER_YEAR = OpenItem(3, "US-INV-2025-000123", D("70.00"), MARCH)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("US-INV-2026-000123", [1]),
        ("payment us inv 2026 000123 thanks", [1]),
        ("RE: 000123", [1]),
        ("invoices US-INV-2026-000123/US-INV-2026-000132", [1, 2]),
        ("000123 and 000132", [1, 2]),
        ("123", []),
        ("20260301", []),
        ("", []),
    ],
)
def test_what_a_reference_names(reference: str, expected: list[int]) -> None:
    assert [item.id for item in named(reference, [FIRST, SECOND])] == expected


def test_digits_that_fit_two_invoices_name_neither() -> None:
    assert named("000123", [FIRST, OTHER_YEAR]) == []


def test_a_named_invoice_paid_exactly_is_certain() -> None:
    proposal = propose(D("350.00"), "000123, 000132", [FIRST, SECOND])

    assert (proposal.tier, proposal.certain) == (Tier.REFERENCE, True)
    assert proposal.parts == ((1, D("100.00")), (2, D("250.00")))


def test_a_part_payment_of_one_named_is_certain_and_of_two_is_not() -> None:
    one = propose(D("60.00"), "000123", [FIRST, SECOND])
    two = propose(D("300.00"), "000123, 000132", [FIRST, SECOND])

    assert (one.certain, one.parts, one.short) == (True, ((1, D("60.00")),), D("40.00"))
    assert (two.certain, two.parts) == (False, ((1, D("100.00")), (2, D("200.00"))))


def test_an_overpayment_leaves_the_rest_on_account() -> None:
    proposal = propose(D("120.00"), "000123", [FIRST, SECOND])

    assert (proposal.parts, proposal.rest, proposal.certain) == (((1, D("100.00")),), D("20.00"), True)


def test_a_unique_amount_is_proposed_and_an_ambiguous_one_is_not() -> None:
    twin = OpenItem(4, "US-INV-2026-000140", D("250.00"), APRIL)

    unique = propose(D("250.00"), "", [FIRST, SECOND])
    ambiguous = propose(D("250.00"), "", [FIRST, SECOND, twin])

    assert (unique.tier, unique.parts, unique.certain) == (Tier.UNIQUE_AMOUNT, ((2, D("250.00")),), False)
    assert (ambiguous.tier, ambiguous.certain) == (Tier.OLDEST_FIRST, False)
    assert propose(D("5.00"), "", []).tier is Tier.NONE


items = st.lists(
    st.tuples(st.integers(1, 10**6), st.dates(dt.date(2026, 1, 1), dt.date(2026, 12, 31))), max_size=12
).map(
    lambda rows: [
        OpenItem(n, f"US-INV-2026-{n:06d}", D(amount).scaleb(-2), due)
        for n, (amount, due) in enumerate(rows, start=1)
    ]
)
amounts = st.integers(1, 10**7).map(lambda n: D(n).scaleb(-2))


@given(amount=amounts, open_items=items, reference=st.text(max_size=40))
def test_a_proposal_never_gives_more_than_is_there_or_open(
    amount: Decimal, open_items: list[OpenItem], reference: str
) -> None:
    proposal = propose(amount, reference, open_items)

    by_id = {item.id: item.amount for item in open_items}
    assert sum((part for _, part in proposal.parts), D(0)) + proposal.rest == amount
    assert all(0 < part <= by_id[pk] for pk, part in proposal.parts)
    assert len({pk for pk, _ in proposal.parts}) == len(proposal.parts)
    assert proposal == propose(amount, reference, list(reversed(open_items)))


@given(amount=amounts, open_items=items)
def test_filling_takes_the_first_first(amount: Decimal, open_items: list[OpenItem]) -> None:
    parts, rest = fill(amount, open_items)

    whole = [pk for pk, part in parts[:-1]]
    assert whole == [item.id for item in open_items[: len(whole)]]
    assert rest == max(amount - sum((item.amount for item in open_items), D(0)), D(0))


@pytest.mark.parametrize(
    ("due", "expected"),
    [
        ("2026-09-30", "current"),
        ("2026-09-29", "1-30"),
        ("2026-08-31", "1-30"),
        ("2026-08-30", "31-60"),
        ("2026-08-01", "31-60"),
        ("2026-07-31", "61-90"),
        ("2026-07-02", "61-90"),
        ("2026-07-01", "90+"),
    ],
)
def test_buckets_by_days_past_due(due: str, expected: str) -> None:
    assert bucket(dt.date.fromisoformat(due), dt.date(2026, 9, 30)) == expected


def test_an_unused_credit_is_never_past_due() -> None:
    old = Item(MARCH, D("100.00"))
    credit = Item(MARCH, D("-30.00"))

    aged = age([old, credit], dt.date(2026, 9, 30))

    assert (aged.buckets["current"], aged.overdue, aged.total) == (D("-30.00"), D("100.00"), D("70.00"))


@given(
    rows=st.lists(st.tuples(st.dates(dt.date(2025, 1, 1), dt.date(2027, 1, 1)), amounts), max_size=20),
    as_of=st.dates(dt.date(2025, 6, 1), dt.date(2026, 12, 31)),
)
def test_buckets_sum_to_what_is_open(rows: list[tuple[dt.date, Decimal]], as_of: dt.date) -> None:
    aged = age([Item(due, amount) for due, amount in rows], as_of, unapplied=D("10.00"))

    assert aged.total == sum((amount for _, amount in rows), D(0))
    assert aged.overdue == sum((amount for due, amount in rows if due < as_of), D(0))
    assert aged.balance == aged.total - D("10.00")
