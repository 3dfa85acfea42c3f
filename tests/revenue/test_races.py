"""The close against postings, and two runs at once: real connections, exactly one wins."""

import threading
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import Count

from o2c import ledger
from o2c.actor import acting
from o2c.errors import ClosedPeriod, Conflict
from o2c.ledger import Entry, Line
from o2c.ledger.models import Journal
from revenue.models import CloseRun, Recognition
from revenue.services import close, exports, recognition
from tests.factories.orders import line, make_catalogue, make_customer, make_order
from tests.factories.revenue import close_month, invoice, make_books, recognise

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("any_journal")]


@pytest.fixture
def books(transactional_db):
    found = make_books("US")
    make_catalogue(found.team)
    return found


@pytest.fixture
def prepared(books):
    customer = make_customer(books.team)
    make_order(books.team, customer, [line("SEATS", 10)], state="active")
    invoice(books, "2026-09-01")
    recognise(books, "2026-08")
    period = books.period("2026-08")
    exports.build(period.pk, actor=books.accountant)
    run = close.start(period.pk, actor=books.accountant)
    close.run_tie_outs(run.pk, actor=books.accountant)
    return close.prepare(run.pk, actor=books.accountant)


def entry(books, key):
    lines = [Line("1000", debit=Decimal(5), reference=key), Line("2130", credit=Decimal(5), reference=key)]
    day = books.period("2026-08").starts_on
    return Entry(books.entity.pk, "USD", day, day, key, "receipt.recorded", key, lines)


class Side(threading.Thread):
    """One side of a race, with a connection of its own."""

    def __init__(self, act):
        super().__init__()
        self.act, self.error = act, None

    def run(self):
        try:
            self.act()
        except Exception as error:  # what happened is asserted by the test
            self.error = error
        finally:
            connection.close()


def test_a_posting_on_its_way_is_waited_for_and_stops_the_lock(books, prepared):
    """The posting holds the period; the lock waits, then finds books that nobody signed."""
    posted, release = threading.Event(), threading.Event()

    def post():
        with acting(books.accountant, reason="race"):
            ledger.post([entry(books, "race:1")])
            posted.set()
            assert release.wait(20)

    writer = Side(post)
    locker = Side(lambda: close.lock(prepared.pk, actor=books.controller))
    writer.start()
    assert posted.wait(20)
    locker.start()
    locker.join(1)
    assert locker.is_alive()
    release.set()
    writer.join(20)
    locker.join(20)

    assert writer.error is None
    assert isinstance(locker.error, Conflict)
    assert books.period("2026-08").state == "closing"
    assert Journal.objects.filter(event_key="race:1").count() == 1


def test_a_lock_on_its_way_is_waited_for_and_stops_the_posting(books, prepared):
    locked, release = threading.Event(), threading.Event()

    def lock():
        with transaction.atomic():
            close.lock(prepared.pk, actor=books.controller)
            locked.set()
            assert release.wait(20)

    def post():
        with acting(books.accountant, reason="race"):
            ledger.post([entry(books, "race:2")])

    locker, writer = Side(lock), Side(post)
    locker.start()
    assert locked.wait(30)
    writer.start()
    writer.join(1)
    assert writer.is_alive()
    release.set()
    locker.join(20)
    writer.join(20)

    assert locker.error is None
    assert isinstance(writer.error, ClosedPeriod | DatabaseError)
    assert books.period("2026-08").state == "closed"
    assert not Journal.objects.filter(event_key="race:2").exists()


def test_many_postings_against_a_lock_leave_what_was_signed_or_no_lock(books, prepared):
    """Whoever wins: a locked period holds exactly the journals that were signed."""
    signed = Journal.objects.filter(period=prepared.period).count()
    barrier = threading.Barrier(5)

    def post(n):
        barrier.wait(20)
        with acting(books.accountant, reason="race"):
            ledger.post([entry(books, f"race:many:{n}")])

    def lock():
        barrier.wait(20)
        close.lock(prepared.pk, actor=books.controller)

    sides = [Side(lambda n=n: post(n)) for n in range(4)] + [Side(lock)]
    for side in sides:
        side.start()
    for side in sides:
        side.join(30)

    posted = Journal.objects.filter(event_key__startswith="race:many").count()
    if CloseRun.objects.get(pk=prepared.pk).state == "locked":
        assert Journal.objects.filter(period=prepared.period).count() == signed
        assert posted == 0
    else:
        assert posted >= 1
        assert books.period("2026-08").state == "closing"


def test_two_runs_at_once_recognise_every_month_once(books):
    customer = make_customer(books.team)
    for n in range(6):
        make_order(books.team, customer, [line("SEATS", n + 1)], state="active")
    invoice(books, "2026-09-01")
    barrier = threading.Barrier(2)

    def run():
        barrier.wait(20)
        recognition.run(books.entity.pk, "2026-08", actor=books.accountant, chunk=2)

    sides = [Side(run), Side(run)]
    for side in sides:
        side.start()
    for side in sides:
        side.join(60)

    assert [side.error for side in sides] == [None, None]
    assert Recognition.objects.count() == 6
    twice = (
        Recognition.objects.values("obligation", "effective_month").annotate(n=Count("pk")).filter(n__gt=1)
    )
    assert not twice.exists()


def test_two_reviewers_lock_once(books, prepared):
    barrier = threading.Barrier(2)

    def lock():
        barrier.wait(20)
        close.lock(prepared.pk, actor=books.controller)

    sides = [Side(lock), Side(lock)]
    for side in sides:
        side.start()
    for side in sides:
        side.join(30)

    assert sorted(type(side.error).__name__ for side in sides) == ["Conflict", "NoneType"]


def test_two_exports_at_once_share_no_journal(books):
    customer = make_customer(books.team)
    make_order(books.team, customer, [line("SEATS", 10)], state="active")
    invoice(books, "2026-09-01")
    recognise(books, "2026-08")
    period = books.period("2026-08")
    barrier = threading.Barrier(2)

    def build():
        barrier.wait(20)
        exports.build(period.pk, actor=books.accountant)

    sides = [Side(build), Side(build)]
    for side in sides:
        side.start()
    for side in sides:
        side.join(30)

    assert sorted(type(side.error).__name__ for side in sides) == ["Conflict", "NoneType"]
    assert close_month(books, "2026-08").state == "locked"
