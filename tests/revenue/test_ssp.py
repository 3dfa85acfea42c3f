"""Stand-alone selling prices: evidence, range, two people, and what they do to an allocation."""

import datetime as dt
from decimal import Decimal as D

import pytest
from django.db import DatabaseError

from o2c.actor import acting
from o2c.errors import Conflict, InvalidInput
from orders.models import Sku
from revenue.models import Allocation, RevenueContract, SspEntry
from revenue.services import ssp
from tests.factories.orders import line, make_order
from tests.factories.revenue import deliver

pytestmark = pytest.mark.django_db


def propose(books, sku="ONBOARDING", amount="2000.00", per="once", since="2026-01-01", **more):
    return ssp.propose(
        sku_id=Sku.objects.get(code=sku).pk,
        currency="USD",
        unit_amount=D(amount),
        per=per,
        effective_from=dt.date.fromisoformat(since),
        evidence="Study 2026, 40 sales",
        actor=books.accountant,
        **more,
    )


def test_an_approved_price_takes_the_place_of_the_list(books, customer):
    """Onboarding is listed at 2,500 and sells for 2,000; given away with seats of 4,800."""
    ssp.approve(propose(books).pk, actor=books.controller)

    make_order(
        books.team,
        customer,
        [line("SEATS", 10), line("ONBOARDING", 1, discount_percent=D(100))],
        state="active",
    )
    deliver()

    seats, onboarding = RevenueContract.objects.get().obligations.order_by("order_line__position")
    assert (onboarding.ssp, onboarding.allocated) == (D("2000.00"), D("1411.76"))
    assert seats.allocated == D("3388.24")
    used = Allocation.objects.get(obligation=onboarding)
    assert (used.ssp_method, used.ssp_entries) == ("entry", [SspEntry.objects.get().pk])


def test_a_proposal_alone_changes_nothing(books, customer):
    propose(books)
    make_order(books.team, customer, [line("ONBOARDING")], state="active")
    deliver()

    assert RevenueContract.objects.get().obligations.get().ssp == D("2500.00")


def test_per_unit_and_month(books, customer):
    ssp.approve(propose(books, "SEATS", "35.00", "month").pk, actor=books.controller)
    make_order(books.team, customer, [line("SEATS", 10)], state="active")
    deliver()

    assert RevenueContract.objects.get().obligations.get().ssp == D("4200.00")


def test_who_proposed_does_not_approve(books):
    entry = propose(books)

    with pytest.raises(DatabaseError, match="ssp_approved_by_second_person"):
        with acting(books.accountant, reason="test"):
            SspEntry.objects.filter(pk=entry.pk).update(approved_by_id=books.accountant.user_id)


def test_a_successor_ends_its_predecessor(books):
    first = propose(books)
    ssp.approve(first.pk, actor=books.controller)
    second = propose(books, amount="2100.00", since="2027-01-01")
    ssp.approve(second.pk, actor=books.controller)

    first.refresh_from_db()
    assert first.effective_to == dt.date(2027, 1, 1)


def test_two_approved_prices_never_cover_one_day(books):
    ssp.approve(propose(books, effective_to=dt.date(2027, 1, 1)).pk, actor=books.controller)
    other = propose(books, amount="2100.00", since="2026-06-01")

    with pytest.raises(DatabaseError, match="ssp_no_overlap"):
        ssp.approve(other.pk, actor=books.controller)


def test_a_price_outside_its_range_is_refused(books):
    with pytest.raises(InvalidInput, match="outside its range"):
        propose(books, low=D("2100.00"))


def test_approving_twice_is_refused(books):
    entry = ssp.approve(propose(books).pk, actor=books.controller)

    with pytest.raises(Conflict, match="approved already"):
        ssp.approve(entry.pk, actor=books.controller)
