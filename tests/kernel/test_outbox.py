"""Events leave with the transaction of their cause, arrive in order, and are tried until they do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.db import transaction

from o2c import outbox
from o2c.actor import Actor, acting
from o2c.errors import Conflict
from o2c.outbox import registry
from o2c.outbox.models import Delivery, DomainEvent
from o2c.outbox.services import retry

pytestmark = pytest.mark.django_db


class Probe:
    """A consumer that remembers what it got and fails on demand."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.batches: list[int] = []
        self.poison: set[str] = set()

    def __call__(self, events: Sequence[outbox.Event]) -> None:
        self.batches.append(len(events))
        for event in events:
            if event.payload["n"] in self.poison:
                raise ValueError(f"cannot take {event.payload['n']}")
        self.got += [event.payload["n"] for event in events]


@pytest.fixture
def probe() -> Iterator[Probe]:
    probe = Probe()
    outbox.consumer("test.probe", "test.happened")(probe)
    yield probe
    del registry.handlers["test.probe"], registry.subscribers["test.happened"]


def publish(aggregate: str, n: str) -> None:
    outbox.publish(type="test.happened", aggregate=aggregate, payload={"n": n})


def test_events_arrive_once_in_order_and_in_batches(probe: Probe, actor: Actor) -> None:
    for n in ("a", "b", "c"):
        publish("test.thing:1", n)

    assert outbox.drain() == 3
    assert outbox.drain() == 0
    assert probe.got == ["a", "b", "c"]
    assert probe.batches == [3]


def test_a_rollback_takes_its_event_along(probe: Probe, actor: Actor) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        publish("test.thing:1", "a")
        raise RuntimeError

    assert outbox.drain() == 0
    assert DomainEvent.objects.count() == 0


def test_a_bad_event_holds_back_only_its_own_aggregate(probe: Probe, actor: Actor) -> None:
    probe.poison = {"bad"}
    publish("test.thing:1", "bad")
    publish("test.thing:1", "behind it")
    publish("test.thing:2", "free")

    outbox.drain()

    assert probe.got == ["free"]
    bad, behind, free = Delivery.objects.order_by("id")
    assert (bad.state, bad.attempts, bad.error) == ("pending", 1, "ValueError: cannot take bad")
    assert (behind.state, behind.attempts) == ("pending", 0)
    assert free.state == "done"


def test_an_event_is_stuck_after_its_last_attempt_until_a_person_retries_it(
    probe: Probe, actor: Actor, monkeypatch: Any
) -> None:
    probe.poison = {"bad"}
    publish("test.thing:1", "bad")
    publish("test.thing:1", "behind it")
    for _ in range(8):
        Delivery.objects.filter(state="pending").update(due_at="2026-01-01T00:00Z")
        outbox.drain()
    stuck = Delivery.objects.get(state="stuck")

    probe.poison = set()
    monkeypatch.setattr("o2c.outbox.services.require", lambda *args, **kwargs: None)
    retry(stuck.pk, actor=actor, reason="mended")
    outbox.drain()

    assert probe.got == ["bad", "behind it"]


def test_retrying_needs_the_duty(probe: Probe, actor: Actor) -> None:
    from o2c.errors import NotAuthorised

    publish("test.thing:1", "a")

    with pytest.raises(NotAuthorised):
        retry(Delivery.objects.get().pk, actor=actor)


def test_publishing_many_costs_one_query(probe: Probe, actor: Actor, django_assert_num_queries: Any) -> None:
    events = [("test.happened", f"test.thing:{n}", {"n": str(n)}) for n in range(1000)]

    with django_assert_num_queries(1):
        outbox.publish_many(events)

    assert Delivery.objects.count() == 1000


@pytest.mark.django_db(transaction=True)
def test_publishing_outside_a_transaction_is_refused(probe: Probe) -> None:
    with pytest.raises(Conflict, match="outside the transaction"):
        publish("test.thing:1", "a")


@pytest.mark.django_db(transaction=True)
def test_the_handler_runs_as_the_system_account(probe: Probe, actor: Actor) -> None:
    from o2c.actor import current_actor

    seen: list[str] = []

    @outbox.consumer("test.who", "test.asked")
    def who(events: Sequence[outbox.Event]) -> None:
        seen.append(current_actor().label)

    with acting(actor):
        outbox.publish(type="test.asked", aggregate="test.thing:1")
    outbox.drain()
    del registry.handlers["test.who"], registry.subscribers["test.asked"]

    assert seen == ["system"]
