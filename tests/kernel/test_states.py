"""A state changes only by a declared transition, through any door."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
from django.db import DatabaseError, connection, transaction
from django_fsm import ConcurrentTransition

from o2c.actor import Actor
from o2c.errors import Conflict
from o2c.ledger.models import AccountingPeriod, LegalEntity
from o2c.states import explain, transitions_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def period(us: LegalEntity) -> AccountingPeriod:
    return AccountingPeriod.objects.get(name="2026-08")


def test_a_declared_transition_is_saved_and_in_history(period: AccountingPeriod) -> None:
    period.start_close()
    period.save()

    assert list(period.history.values_list("state", flat=True)) == ["closing", "open"]


def test_assigning_a_state_is_refused(period: AccountingPeriod) -> None:
    with pytest.raises(AttributeError, match="Direct state modification"):
        period.state = "closed"


def test_a_transition_from_another_state_says_which_state_it_needs(period: AccountingPeriod) -> None:
    with pytest.raises(Conflict, match="“Lock” needs the state closing, and it is open"):
        period.lock()


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE ledger_accountingperiod SET state = 'closed'",
        "UPDATE ledger_accountingperiod SET state = 'nonsense'",
        "INSERT INTO ledger_accountingperiod (entity_id, name, starts_on, ends_on, state)"
        " SELECT id, '2027-01', '2027-01-01', '2027-02-01', 'closed' FROM ledger_legalentity",
    ],
)
def test_raw_sql_meets_the_same_wall(period: AccountingPeriod, attack: str) -> None:
    wall = "declared transition|initial states"
    with pytest.raises(DatabaseError, match=wall), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(attack)


def test_the_constructor_and_update_meet_it_too(period: AccountingPeriod, us: LegalEntity) -> None:
    with pytest.raises(DatabaseError, match="initial states"), transaction.atomic():
        AccountingPeriod.objects.create(
            entity=us, name="2027-01", starts_on=dt.date(2027, 1, 1), ends_on=dt.date(2027, 2, 1),
            state="closed",
        )  # fmt: skip
    with pytest.raises(DatabaseError, match="declared transition"), transaction.atomic():
        AccountingPeriod.objects.update(state="closed")


def test_a_stale_copy_cannot_be_saved_over_a_newer_state(period: AccountingPeriod) -> None:
    stale = AccountingPeriod.objects.get(pk=period.pk)
    period.start_close()
    period.save()
    stale.start_close()

    with pytest.raises(ConcurrentTransition):
        stale.save()


def test_protection_holds_while_other_threads_refresh(period: AccountingPeriod) -> None:
    """The library lifts the protection of the class during a refresh; ours of one object only."""
    leaks: list[str] = []
    other = AccountingPeriod(name="2026-08")
    stop = threading.Event()

    def assign() -> None:
        while not stop.is_set():
            try:
                other.state = "closed"
            except AttributeError:
                continue
            leaks.append("assigned")

    thread = threading.Thread(target=assign)
    thread.start()
    for _ in range(200):
        period.refresh_from_db()
    stop.set()
    thread.join()

    assert leaks == []


def test_explain_lists_every_reason(period: AccountingPeriod, actor: Actor) -> None:
    from o2c.access.models import User

    reasons = explain(period, "lock", User.objects.get(pk=actor.user_id))

    assert len(reasons) == 2
    assert "needs the state closing" in reasons[0]
    assert "ledger.period.close" in reasons[1]


def test_the_transitions_of_a_model_are_declared_data() -> None:
    declared = {t.name: (t.sources, t.target, t.duty) for t in transitions_of(AccountingPeriod)}

    assert declared == {
        "start_close": (("open",), "closing", "ledger.period.close"),
        "lock": (("closing",), "closed", "ledger.period.close"),
        "reopen": (("closing", "closed"), "open", "ledger.period.reopen"),
    }
