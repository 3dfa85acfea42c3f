"""Numbers are gapless: a rollback gives its number back, and two posters wait for each other."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from django.db import DatabaseError, connection, transaction

from o2c.actor import Actor, acting
from o2c.controls.selftest.attempts import settle
from o2c.errors import Conflict
from o2c.ledger.models import LegalEntity
from o2c.numbering import take
from tests import database

pytestmark = pytest.mark.django_db
NEVER_GIVEN = "The number US-INV-2026-000001 was taken, and no document has it"


@pytest.fixture(autouse=True)
def _without_documents(request: pytest.FixtureRequest) -> Iterator[None]:
    """Numbers by themselves: what wants a document for each is tried at the end."""
    request.getfixturevalue("us")
    if request.node.name.startswith("test_raw_sql"):
        yield
        return
    with database.owner(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE numbering_numberseries DISABLE TRIGGER o2c_given")
    yield
    if connection.in_atomic_block:
        settle()
    with database.owner(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE numbering_numberseries ENABLE ALWAYS TRIGGER o2c_given")


def test_raw_sql_raises_no_series_nor_lowers_one(us: LegalEntity) -> None:
    with pytest.raises(DatabaseError, match=NEVER_GIVEN), transaction.atomic():
        take(us.pk, "INV", 2026)
        settle()
    with (
        pytest.raises(DatabaseError, match="No document takes numbers of the series XYZ"),
        transaction.atomic(),
    ):
        take(us.pk, "XYZ", 2026)
        settle()
    with pytest.raises(DatabaseError, match="only ever counts up"), transaction.atomic():
        take(us.pk, "INV", 2026, 5)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE numbering_numberseries SET last = last - 1")


def test_numbers_follow_each_other_per_entity_series_and_year(us: LegalEntity) -> None:
    assert take(us.pk, "INV", 2026) == ["US-INV-2026-000001"]
    assert take(us.pk, "INV", 2026, 3) == [
        "US-INV-2026-000002", "US-INV-2026-000003", "US-INV-2026-000004"
    ]  # fmt: skip
    assert take(us.pk, "CM", 2026) == ["US-CM-2026-000001"]
    assert take(us.pk, "INV", 2027) == ["US-INV-2027-000001"]


def test_a_rollback_leaves_no_gap(us: LegalEntity) -> None:
    take(us.pk, "INV", 2026)
    with pytest.raises(RuntimeError), transaction.atomic():
        take(us.pk, "INV", 2026, 5)
        raise RuntimeError

    assert take(us.pk, "INV", 2026) == ["US-INV-2026-000002"]


@pytest.mark.django_db(transaction=True)
def test_a_number_outside_a_transaction_is_refused(us: LegalEntity) -> None:
    with pytest.raises(Conflict, match="outside a transaction"):
        take(us.pk, "INV", 2026)


@pytest.mark.django_db(transaction=True)
def test_posters_that_race_get_different_numbers_without_gap(us: LegalEntity, actor: Actor) -> None:
    barrier = threading.Barrier(4)
    numbers: list[str] = []

    def post() -> None:
        barrier.wait(5)
        for _ in range(10):
            with acting(actor):
                numbers.extend(take(us.pk, "INV", 2026))
        connection.close()

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert sorted(numbers) == [f"US-INV-2026-{n:06d}" for n in range(1, 41)]
