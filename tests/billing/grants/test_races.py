"""Many connections and the last of one grant: it is drawn once."""

from __future__ import annotations

import datetime as dt
import threading
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection

from billing.models import Grant, GrantEntry
from billing.services import grants
from o2c.actor import acting
from o2c.errors import DomainError
from tests.factories.billing import Team, billing_team, books
from tests.factories.orders import make_customer

pytestmark = pytest.mark.django_db(transaction=True)
D = Decimal


@pytest.fixture
def team(transactional_db: None) -> Team:
    team = billing_team()
    books(team)
    return team


def _promotion(team: Team) -> Grant:
    customer = make_customer(team.orders, "Globex", region="NY")
    return grants.promote(
        customer_id=customer.pk, amount=D("100.00"), starts_on=dt.date(2026, 8, 1),
        actor=team.approver, reason="Welcome",
    )  # fmt: skip


def test_four_movements_of_60_do_not_fit_into_100(team: Team) -> None:
    grant = _promotion(team)
    barrier, refused = threading.Barrier(4), []

    def draw() -> None:
        try:
            barrier.wait()
            with acting(team.ops, reason="race"):
                GrantEntry.objects.create(
                    grant=grant, kind="expired", amount=D("-60.00"), occurred_on=dt.date(2026, 9, 1)
                )
        except DatabaseError as error:
            refused.append(str(error))
        finally:
            connection.close()

    _at_once(draw, 4)

    grant.refresh_from_db()
    assert grant.remaining == D("40.00")
    assert len(refused) == 3
    assert all("billing_grant_remaining" in message for message in refused)


def test_withdrawn_twice_at_once_it_leaves_once(team: Team) -> None:
    grant = _promotion(team)
    barrier, refused = threading.Barrier(3), []

    def withdraw() -> None:
        try:
            barrier.wait()
            grants.withdraw(grant.pk, on=dt.date(2026, 9, 1), actor=team.approver, reason="Over")
        except DomainError as error:
            refused.append(error)
        finally:
            connection.close()

    _at_once(withdraw, 3)

    assert len(refused) == 2
    assert list(grant.entries.order_by("pk").values_list("amount", flat=True)) == [D("100.00"), D("-100.00")]


def _at_once(work: object, times: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(times)]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
