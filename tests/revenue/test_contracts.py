"""From an order to a revenue contract: versions, obligations, allocations, schedules."""

import datetime as dt
from decimal import Decimal as D

import pytest

from o2c.access.system import system_actor
from revenue.models import Allocation, ContractVersion, Obligation, RevenueContract, ScheduleSlice
from revenue.services import contracts
from tests.factories.orders import line, make_order
from tests.factories.revenue import deliver

pytestmark = pytest.mark.django_db


def plan(contract, obligation):
    rows = ScheduleSlice.objects.filter(
        version__contract=contract, version__number=contract.version, obligation=obligation
    ).order_by("month")
    return {f"{s.month:%Y-%m}": s.amount for s in rows}


def test_an_activated_order_becomes_a_contract_with_a_schedule(books, customer):
    """Ten seats at 40.00 a month for a year: 4,800.00 by day."""
    order = make_order(books.team, customer, [line("SEATS", 10), line("TOKENS")], state="active")

    deliver()

    contract = RevenueContract.objects.get(order=order)
    assert (contract.version, contract.transaction_price, contract.reallocates) == (1, D("4800.00"), False)
    seats, tokens = contract.obligations.order_by("order_line__position")
    assert (seats.basis, seats.stated, seats.ssp, seats.allocated) == (
        Obligation.Basis.FIXED, D("4800.00"), D("4800.00"), D("4800.00"),
    )  # fmt: skip
    assert (seats.balance_account, seats.revenue_account) == ("2100", "4005")
    assert (tokens.basis, tokens.balance_account, tokens.revenue_account) == ("charged", "1110", "4000")
    months = plan(contract, seats)
    assert len(months) == 12
    assert months["2026-08"] == D("407.67")  # 4,800.00 x 31/365
    assert sum(months.values()) == D("4800.00")


def test_building_twice_writes_nothing(books, customer):
    order = make_order(books.team, customer, [line("SEATS", 10)], state="active")
    deliver()

    assert contracts.build([order.pk], actor=system_actor()) == 0
    assert ContractVersion.objects.count() == 1


def test_an_order_that_is_not_active_is_no_contract(books, customer):
    order = make_order(books.team, customer, [line("SEATS", 10)], state="signed")

    assert contracts.build([order.pk], actor=system_actor()) == 0


def test_a_discount_on_one_line_is_shared_by_all(books, customer):
    """Seats 4,800 and onboarding worth 2,500 given away: 4,800 over 7,300 of stand-alone prices."""
    order = make_order(
        books.team,
        customer,
        [line("SEATS", 10), line("ONBOARDING", 1, discount_percent=D(100))],
        state="active",
    )
    deliver()

    contract = RevenueContract.objects.get(order=order)
    assert contract.reallocates
    seats, onboarding = contract.obligations.order_by("order_line__position")
    assert (seats.ssp, onboarding.ssp) == (D("4800.00"), D("2500.00"))
    assert (seats.stated, onboarding.stated) == (D("4800.00"), D("0.00"))
    assert (seats.allocated, onboarding.allocated) == (D("3156.16"), D("1643.84"))
    assert plan(contract, onboarding) == {"2026-08": D("1643.84")}


def test_service_without_end_is_earned_as_charged(books, customer):
    order = make_order(books.team, customer, [line("SEATS", 10)], state="active", ends_on=None)
    deliver()

    contract = RevenueContract.objects.get(order=order)
    assert contract.transaction_price == D("0.00")
    assert contract.obligations.get().basis == Obligation.Basis.CHARGED
    assert not ScheduleSlice.objects.exists()


def test_every_version_allocates_its_whole_price(books, customer):
    make_order(
        books.team, customer, [line("SEATS", 10), line("PLATFORM"), line("ONBOARDING")], state="active"
    )
    deliver()

    for version in ContractVersion.objects.all():
        rows = Allocation.objects.filter(version=version)
        assert sum(a.price + a.credit for a in rows) == version.transaction_price


def test_building_costs_the_same_for_one_and_for_many(books, customer, django_assert_max_num_queries):
    orders = [
        make_order(books.team, customer, [line("SEATS", n + 1), line("ONBOARDING")], state="active")
        for n in range(12)
    ]

    with django_assert_max_num_queries(30):
        contracts.build([o.pk for o in orders], actor=system_actor())

    assert RevenueContract.objects.count() == 12
    assert RevenueContract.objects.earliest("pk").starts_on == dt.date(2026, 8, 1)
