"""Properties on a real database: whatever the deals and the changes are, the books stay whole."""

from contextlib import suppress
from datetime import date
from decimal import Decimal as D

import pytest
from django.db import connection, transaction
from django.db.models import F, Sum
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from o2c.errors import InvalidInput
from o2c.invariants import all_invariants
from o2c.ledger.models import Journal, JournalLine
from revenue.models import Obligation, Recognition
from revenue.services import recognition
from tests.factories.orders import line, make_order
from tests.factories.revenue import deliver, invoice, recognise
from tests.revenue.test_changes import amend
from tests.revenue.test_recognition import balance

pytestmark = pytest.mark.django_db

MONTHS = [f"2026-{m:02d}" for m in range(8, 13)] + [f"2027-{m:02d}" for m in range(1, 9)]
DEAL = st.tuples(
    st.integers(1, 40),  # seats
    st.integers(0, 90),  # discount on the seats, percent
    st.booleans(),  # a platform fee
    st.integers(0, 100),  # discount on the onboarding, percent
    st.sampled_from(["month", "quarter", "year"]),
    st.sampled_from(["advance", "arrears"]),
)
CHANGE = st.one_of(
    st.none(),
    st.tuples(st.just("quantity"), st.integers(2, 10), st.integers(1, 60)),
    st.tuples(st.just("price"), st.integers(2, 10), st.integers(0, 80)),
    st.tuples(st.just("cancel"), st.integers(2, 10), st.just(0)),
)


class Undo(Exception):
    """Leaves nothing of an example behind."""


def following(month: str) -> str:
    year, number = map(int, month.split("-"))
    return f"{year + number // 12}-{number % 12 + 1:02d}"


def violations():
    found = {}
    with connection.cursor() as cursor:
        for one in all_invariants(["revenue", "ledger"]):
            cursor.execute(one.query())
            rows = cursor.fetchall()
            if rows:
                found[one.code] = rows[:3]
    return found


def change_order(books, order, change):
    kind, month, size = change
    on = f"{following(MONTHS[month - 1])}-01" if month % 2 else f"{MONTHS[month]}-17"
    seats = order.lines.get(sku__code="SEATS").pk
    asked = {
        "quantity": {"lines": [{"line": seats, "quantity": str(size)}]},
        "price": {"lines": [{"line": seats, "discount_percent": str(size)}]},
        "cancel": {"mode": "now"},
    }[kind]
    amend(books, order, kind, on, asked, as_of=date.fromisoformat(on))


# An example is a year of bill runs: shrinking one would take longer than reading it.
@settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(DEAL, CHANGE)
def test_a_whole_term_ends_at_zero_with_everything_billed_recognised(books, customer, deal, change):
    """Any deal, one change: balances end at zero, revenue is what was invoiced, a re-run adds nothing."""
    seats, discount, platform, gift, frequency, timing = deal
    with pytest.raises(Undo), transaction.atomic():
        lines = [
            line("SEATS", seats, discount_percent=D(discount), timing=timing),
            line("ONBOARDING", 1, discount_percent=D(gift)),
        ]
        if platform:
            lines.append(line("PLATFORM"))
        order = make_order(
            books.team, customer, lines, state="active", terms={"billing_frequency": frequency}
        )
        deliver()
        for position, month in enumerate(MONTHS):
            if change and position == change[1]:
                with suppress(InvalidInput), transaction.atomic():  # one that changes nothing is refused
                    change_order(books, order, change)
            invoice(books, f"{following(month)}-01")
            recognise(books, month)
            assert_never_too_much()

        assert {account: balance(account) for account in ("1110", "1120", "2100")} == dict.fromkeys(
            ("1110", "1120", "2100"), D(0)
        )
        invoiced = balance("1100") + balance("2150")
        assert -sum(balance(a) for a in ("4000", "4005", "4008", "4920")) == invoiced
        before = Journal.objects.count(), Recognition.objects.count()
        for month in MONTHS:
            recognition.run(books.entity.pk, month, actor=books.accountant)
        assert (Journal.objects.count(), Recognition.objects.count()) == before
        assert violations() == {}
        raise Undo


def assert_never_too_much():
    """What is recognised of an obligation never passes what was allocated to it."""
    recognised = (
        Obligation.objects.filter(basis="fixed")
        .annotate(done=Sum("recognitions__amount"))
        .filter(done__gt=F("allocated"))
    )
    assert list(recognised.values("pk", "allocated", "done")) == []


def test_every_line_against_a_contract_names_its_order_line(books, customer):
    make_order(books.team, customer, [line("SEATS", 10), line("TOKENS")], state="active")
    invoice(books, "2026-09-01")
    recognise(books, "2026-08")

    accounts = ["1110", "1120", "2100", "2110", "4000", "4005", "4008"]
    nameless = JournalLine.objects.filter(
        account__code__in=accounts, journal__rule__startswith="revenue."
    ).exclude(reference__startswith="order_line:")
    assert not nameless.exists()


def test_a_run_costs_the_same_for_few_and_for_many(books, customer, django_assert_max_num_queries):
    """Twelve contracts with usage, reallocation and assets in one chunk: the statements of one."""
    for n in range(12):
        lines = [line("SEATS", n + 1), line("TOKENS"), line("ONBOARDING", 1, discount_percent=D(50))]
        make_order(books.team, customer, lines, state="active")
    deliver()

    with django_assert_max_num_queries(60):
        recognise(books, "2026-08")

    assert Recognition.objects.count() == 24
