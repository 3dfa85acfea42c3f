"""Jobs: asked for once, resumed where they stood, tried again, and every outcome kept on the row."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from o2c import clock
from o2c.actor import Actor, acting, current_actor
from o2c.errors import Conflict, InvalidInput, NotFound
from o2c.runtime import jobs, tasks
from o2c.runtime.models import Heartbeat, Job
from tests import database
from tests.factories.access import make_account, make_user
from tests.runtime import probes  # noqa: F401  registers the kinds

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The messages that would have gone to the broker."""
    messages: list[int] = []
    monkeypatch.setattr(tasks.run_job, "delay", messages.append)
    return messages


def test_a_job_is_sent_after_commit_and_not_after_rollback(
    actor: Any, sent: list[int], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        job = jobs.enqueue("tests.count_to", {"goal": 1}, actor=actor)
        assert sent == []
    assert sent == [job.pk]

    with django_capture_on_commit_callbacks(execute=True):
        try:
            with transaction.atomic():
                jobs.enqueue("tests.count_to", {"goal": 1}, actor=actor)
                raise InterruptedError
        except InterruptedError:
            pass
    assert sent == [job.pk]


def test_one_open_job_per_key(actor: Any, sent: list[int]) -> None:
    first = jobs.enqueue("tests.count_to", {"goal": 1}, actor=actor, key="billing.run:7")
    second = jobs.enqueue("tests.count_to", {"goal": 9}, actor=actor, key="billing.run:7")
    assert second.pk == first.pk

    jobs.run(first.pk)
    third = jobs.enqueue("tests.count_to", {"goal": 1}, actor=actor, key="billing.run:7")
    assert third.pk != first.pk


def test_progress_and_figures_are_on_the_row_and_told_to_the_listener(actor: Any, sent: list[int]) -> None:
    seen: list[tuple[int, int | None]] = []
    job = jobs.enqueue("tests.count_to", {"goal": 4}, actor=actor)

    done = jobs.run(job.pk, listener=lambda row: seen.append((row.current, row.total)))

    assert (done.state, done.current, done.total, done.percent) == ("succeeded", 4, 4, 100)
    assert done.counts == {"counted": 4}
    assert done.finished_at is not None
    assert seen[-1] == (4, 4)


def test_a_job_acts_in_the_name_of_who_asked(actor: Any, sent: list[int]) -> None:
    job = jobs.enqueue("tests.count_to", {"goal": 1}, actor=actor)

    jobs.run(job.pk)

    assert Heartbeat.objects.get(component="count:0").detail["actor"] == current_actor().label == "tester"


def test_a_second_message_for_a_job_does_nothing(actor: Any, sent: list[int]) -> None:
    job = jobs.enqueue("tests.count_to", {"goal": 2}, actor=actor)
    jobs.run(job.pk)

    again = jobs.run(job.pk)

    assert (again.attempts, again.counts) == (1, {"counted": 2})


def test_a_job_left_by_a_dead_worker_goes_on_from_its_cursor(actor: Any, sent: list[int]) -> None:
    job = jobs.enqueue("tests.count_to", {"goal": 5}, actor=actor)
    Job.objects.filter(pk=job.pk).update(
        state="running", attempts=1, leased_until=clock.now() - dt.timedelta(seconds=1), cursor={"done": 3},
        counts={"counted": 3},
    )  # fmt: skip

    assert tasks.sweep.run() == 1
    assert sent == [job.pk]
    done = jobs.run(job.pk)

    assert (done.state, done.attempts, done.counts) == ("succeeded", 2, {"counted": 5})
    assert Heartbeat.objects.filter(component__startswith="count:").count() == 2


def test_a_job_in_living_hands_is_not_taken(actor: Any, sent: list[int]) -> None:
    job = jobs.enqueue("tests.count_to", {"goal": 5}, actor=actor)
    lease = clock.now() + dt.timedelta(seconds=30)
    Job.objects.filter(pk=job.pk).update(state="running", attempts=1, leased_until=lease)

    assert tasks.sweep.run() == 0
    assert jobs.run(job.pk).attempts == 1


def test_a_crash_is_kept_and_tried_again_later_then_final(actor: Any, sent: list[int]) -> None:
    job = jobs.enqueue("tests.fail", actor=actor)

    once = jobs.run(job.pk)
    assert once.state == "queued"
    assert "the printer is on fire" in once.error
    assert once.due_at > clock.now() + dt.timedelta(seconds=20)
    assert jobs.run(job.pk).attempts == 1  # not due yet

    Job.objects.filter(pk=job.pk).update(due_at=clock.now())
    twice = jobs.run(job.pk)
    assert (twice.state, twice.attempts) == ("failed", 2)


def test_a_refusal_is_final_and_says_why(
    actor: Any, sent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(job: jobs.Running) -> None:
        raise InvalidInput("The period is closed", record="US 2026-08", remedy="Reopen it")

    monkeypatch.setitem(jobs._kinds, "tests.refuse", jobs.Kind("tests.refuse", "Refuse", refuse))
    job = jobs.enqueue("tests.refuse", actor=actor)

    done = jobs.run(job.pk)

    assert (done.state, done.error) == ("failed", "US 2026-08: The period is closed. Reopen it.")


def test_only_a_waiting_job_can_be_taken_back(actor: Any, sent: list[int]) -> None:
    job = jobs.enqueue("tests.count_to", {"goal": 1}, actor=actor)
    jobs.cancel(job.pk)
    assert jobs.run(job.pk).state == "cancelled"

    with pytest.raises(Conflict, match="Only a job that waits"):
        jobs.cancel(job.pk)


def test_an_unknown_kind_is_refused_when_asked_for(actor: Any) -> None:
    with pytest.raises(NotFound, match="No job function is named billing"):
        jobs.enqueue("billing.no-such-thing", actor=actor)


def test_old_records_are_forgotten(actor: Any, sent: list[int]) -> None:
    old = clock.now() - dt.timedelta(days=91)
    job = jobs.enqueue("tests.count_to", {"goal": 1}, actor=actor)
    kept = jobs.enqueue("tests.count_to", {"goal": 1}, actor=actor)
    with database.owner(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE runtime_job DISABLE TRIGGER USER")
        Job.objects.filter(pk=job.pk).update(state="succeeded", finished_at=old)
        cursor.execute("ALTER TABLE runtime_job ENABLE ALWAYS TRIGGER o2c_job_guarded")
    Heartbeat.objects.create(component="worker:gone", at=old)

    assert tasks.forget.run() == 1
    assert list(Job.objects.values_list("pk", flat=True)) == [kept.pk]
    assert not Heartbeat.objects.exists()


def by_hand(who: Actor, statement: str, *values: Any) -> None:
    """As the app, with the rights of its role, by somebody who says who they are."""
    with acting(who, reason="shortcut"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)


INSERT = (
    "INSERT INTO runtime_job (kind, arguments, key, actor_id, reason, state, phase, current, counts, cursor,"
    " error, attempts, worker) VALUES ('tests.count_to', '{\"goal\": 1}', '', %s, '', 'queued', '', 0, '{}',"
    " '{}', '', 0, '')"
)


def test_nobody_asks_for_a_job_in_the_name_of_another(actor: Any) -> None:
    boss, clerk = make_user("boss", "controller"), Actor.of(make_user("clerk", "cash_receipts"))
    with pytest.raises(DatabaseError, match="in one's own name"):
        by_hand(clerk, INSERT, boss.pk)
    with pytest.raises(DatabaseError, match="in one's own name"), acting(clerk):
        Job.objects.create(kind="tests.count_to", actor=boss)
    by_hand(clerk, INSERT, clerk.user_id)
    machine = make_account("robot", owner=boss)
    by_hand(Actor(machine.pk, "robot for boss", boss.pk), INSERT, boss.pk)
    assert sorted(Job.objects.values_list("actor_id", flat=True)) == sorted([clerk.user_id, boss.pk])


@pytest.mark.parametrize(
    "change",
    [
        "actor_id = (SELECT id FROM access_user WHERE username = 'boss')",
        "kind = 'tests.refuse'",
        "arguments = '{\"goal\": 9}'",
        "key = 'another'",
        "created_at = now() - interval '1 year'",
    ],
)
def test_what_a_job_does_and_for_whom_never_changes(actor: Any, sent: list[int], change: str) -> None:
    make_user("boss", "controller")
    job = jobs.enqueue("tests.count_to", {"goal": 1}, actor=actor)
    with pytest.raises(DatabaseError, match="and for whom, never changes"):
        by_hand(actor, f"UPDATE runtime_job SET {change} WHERE id = %s", job.pk)


def test_a_job_that_ended_is_not_begun_again(actor: Any, sent: list[int]) -> None:
    """It would be done once more in the name of whoever asked the first time."""
    job = jobs.enqueue("tests.count_to", {"goal": 1}, actor=actor)
    jobs.run(job.pk)
    with pytest.raises(DatabaseError, match="is not begun again"):
        by_hand(actor, "UPDATE runtime_job SET state = 'queued', finished_at = NULL WHERE id = %s", job.pk)


def test_a_job_stays_on_record(actor: Any, sent: list[int]) -> None:
    waits = jobs.enqueue("tests.count_to", {"goal": 1}, actor=actor)
    done = jobs.enqueue("tests.count_to", {"goal": 1}, actor=actor)
    jobs.run(done.pk)
    for job in (waits, done):
        with pytest.raises(DatabaseError, match="stays on record"):
            by_hand(actor, "DELETE FROM runtime_job WHERE id = %s", job.pk)
    with pytest.raises(DatabaseError, match="ends when it ends"):
        by_hand(
            actor,
            "UPDATE runtime_job SET state = 'failed', finished_at = now() - interval '1 year' WHERE id = %s",
            waits.pk,
        )
