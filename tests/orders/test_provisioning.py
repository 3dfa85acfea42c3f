"""Provisioning on a real socket: retried, idempotent, written down, never inside a transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from o2c import outbox
from o2c.actor import Actor, acting
from o2c.errors import Conflict
from orders.models import Entitlement, Order, ProvisioningAttempt
from orders.provisioning import run as provisioning
from orders.provisioning.client import Client
from orders.provisioning.run import LEASE, Patience, claim, record, run_due
from orders.provisioning.standin import StandIn, running
from orders.services import amendments, entitlements
from tests.factories.orders import line, make_customer, make_order, orders_team

pytestmark = pytest.mark.django_db(transaction=True)

NOW = dt.datetime(2026, 8, 1, 9, 0, tzinfo=dt.UTC)
PATIENCE = Patience(attempts=3, seconds=(10, 60))


@pytest.fixture
def team(transactional_db: None) -> Actor:
    return orders_team()


@pytest.fixture
def order(team: Actor) -> Order:
    made = make_order(team, make_customer(team), [line("SEATS", 10)], state="active")
    outbox.drain()
    return made


@pytest.fixture
def service() -> Iterator[tuple[StandIn, Client]]:
    with running(StandIn(delay=1.0)) as (standin, url), Client(url, timeout=0.4) as client:
        yield standin, client


def go(client: Client, team: Actor, seconds: float = 0, **more: Any) -> provisioning.Progress:
    moment = NOW + dt.timedelta(seconds=seconds)
    return run_due(client, actor=team, now=moment, patience=PATIENCE, **more)


def attempts() -> list[tuple[int, int, str, int | None]]:
    rows = ProvisioningAttempt.objects.order_by("id")
    return [(a.revision, a.attempt, a.outcome, a.status_code) for a in rows]


def the_one() -> Entitlement:
    return Entitlement.objects.get()


def test_a_grant_is_told_once(order: Order, team: Actor, service: tuple[StandIn, Client]) -> None:
    standin, client = service
    assert go(client, team) == provisioning.Progress(called=1, confirmed=1)
    row = the_one()
    assert (row.state, row.attempts, row.last_error) == ("provisioned", 1, "")
    grant = standin.grants[f"entitlement-{row.pk}"]
    assert grant == {
        "action": "grant",
        "customer": order.customer.number,
        "sku": "SEATS",
        "quantity": "10",
        "starts_on": "2026-08-01",
        "ends_on": "2027-08-01",
        "order": order.number,
        "revision": 1,
        "id": row.external_ref,
        "state": "granted",
    }
    assert go(client, team).called == 0
    assert attempts() == [(1, 1, "ok", 200)]


def test_a_passing_failure_is_tried_again_later(
    order: Order, team: Actor, service: tuple[StandIn, Client]
) -> None:
    standin, client = service
    standin.misbehave("fail", "busy")
    assert go(client, team) == provisioning.Progress(called=1, postponed=1)
    row = the_one()
    assert (row.state, row.next_attempt_at) == ("pending", NOW + dt.timedelta(seconds=10))
    assert row.last_error == "try later"
    assert go(client, team, seconds=9).called == 0
    assert go(client, team, seconds=10).postponed == 1
    assert the_one().next_attempt_at == NOW + dt.timedelta(seconds=70)  # 60 s is more than the 30 asked for
    assert go(client, team, seconds=70).confirmed == 1
    assert attempts() == [(1, 1, "transient", 503), (1, 2, "transient", 429), (1, 3, "ok", 200)]


@pytest.mark.parametrize("misdeed", ["slow", "drop", "garbled"])
def test_a_lost_answer_does_nothing_twice(
    order: Order, team: Actor, service: tuple[StandIn, Client], misdeed: str
) -> None:
    standin, client = service
    standin.misbehave(misdeed)
    assert go(client, team).postponed == 1
    key = f"entitlement-{the_one().pk}-r1"
    assert standin.applied == {key: 1}
    assert go(client, team, seconds=10).confirmed == 1
    assert standin.calls == [key, key]
    assert standin.applied == {key: 1}
    assert ProvisioningAttempt.objects.filter(response__replayed=True).count() == 1


def test_a_service_that_is_down_is_a_passing_failure(order: Order, team: Actor) -> None:
    with running() as (_, url):
        pass  # the port is closed again
    with Client(url, timeout=0.4) as client:
        assert go(client, team).postponed == 1
    assert attempts() == [(1, 1, "transient", None)]
    assert "ConnectError" in the_one().last_error


def test_a_refusal_waits_for_a_person(order: Order, team: Actor, service: tuple[StandIn, Client]) -> None:
    standin, client = service
    standin.misbehave("refuse")
    assert go(client, team).failed == 1
    row = the_one()
    assert (row.state, row.last_error) == ("failed", "unknown SKU")
    assert go(client, team, seconds=9999).called == 0
    entitlements.retry(row.pk, actor=team, reason="SKU was added")
    assert go(client, team, seconds=9999).confirmed == 1
    assert Entitlement.history.filter(history_change_reason="SKU was added").count() == 1


def test_patience_ends(order: Order, team: Actor, service: tuple[StandIn, Client]) -> None:
    standin, client = service
    standin.misbehave("fail", "fail", "fail")
    for seconds in (0, 100, 200):
        go(client, team, seconds=seconds)
    assert the_one().state == "failed"
    assert [a[1] for a in attempts()] == [1, 2, 3]


def test_a_claim_of_a_dead_worker_runs_out(
    order: Order, team: Actor, service: tuple[StandIn, Client]
) -> None:
    standin, client = service
    lost = claim(10, actor=team, now=NOW)
    assert the_one().state == "provisioning"
    client.send(lost[0])  # the call went out, and then the worker died
    assert go(client, team, seconds=LEASE.total_seconds() - 1).called == 0
    assert go(client, team, seconds=LEASE.total_seconds()).confirmed == 1
    assert standin.applied == {lost[0].key: 1}


def test_two_workers_never_claim_the_same(order: Order, team: Actor) -> None:
    assert len(claim(10, actor=team, now=NOW)) == 1
    assert claim(10, actor=team, now=NOW) == []


def test_an_answer_to_an_older_revision_does_not_count(
    order: Order, team: Actor, service: tuple[StandIn, Client]
) -> None:
    standin, client = service
    calls = claim(10, actor=team, now=NOW)
    drafted = amendments.draft(
        order.pk, kind="renew", effective_on=order.starts_on, changes={"term_months": 12}, actor=team
    )
    amendments.apply(drafted.pk, actor=team)
    outbox.drain()
    answers = [(call, client.send(call)) for call in calls]
    record(answers, actor=team, now=NOW, patience=PATIENCE)
    row = the_one()
    assert (row.state, row.revision, row.external_ref) == ("pending", 2, answers[0][1].external_ref)
    assert go(client, team).confirmed == 1
    assert standin.grants[f"entitlement-{row.pk}"]["ends_on"] == "2028-08-01"
    assert attempts() == [(1, 1, "ok", 200), (2, 1, "ok", 200)]
    stale = replace(calls[0], key="late")
    assert client.send(stale).status == 409


def test_a_cancelled_order_is_revoked_at_the_service(
    order: Order, team: Actor, service: tuple[StandIn, Client]
) -> None:
    standin, client = service
    go(client, team)
    day = dt.date(2026, 11, 1)
    drafted = amendments.draft(
        order.pk, kind="cancel", effective_on=order.starts_on, changes={"mode": "backdated"}, actor=team,
        as_of=day, reason="never used",
    )  # fmt: skip
    amendments.apply(drafted.pk, actor=team, as_of=day)
    outbox.drain()
    assert go(client, team).confirmed == 1
    row = the_one()
    assert (row.state, row.action) == ("revoked", "revoke")
    assert standin.grants[f"entitlement-{row.pk}"]["state"] == "revoked"


def test_events_delivered_twice_grant_once(
    order: Order, team: Actor, service: tuple[StandIn, Client]
) -> None:
    standin, client = service
    from orders.handlers import follow_lines

    event = outbox.Event(1, "orders.order.activated", f"orders.order:{order.pk}", {"order_id": order.pk})
    with acting(team):
        follow_lines([event, event])
        follow_lines([event])
    go(client, team)
    assert Entitlement.objects.count() == 1
    assert len(standin.applied) == 1


def test_the_service_is_never_called_inside_a_transaction(
    order: Order, team: Actor, service: tuple[StandIn, Client]
) -> None:
    _, client = service
    with pytest.raises(Conflict, match="never called inside a database transaction"), transaction.atomic():
        go(client, team)


def test_attempts_are_never_changed(order: Order, team: Actor, service: tuple[StandIn, Client]) -> None:
    _, client = service
    go(client, team)
    for act in (
        lambda: ProvisioningAttempt.objects.update(outcome="ok"),
        lambda: ProvisioningAttempt.objects.all().delete(),
    ):
        with pytest.raises(DatabaseError, match=r"append-only|permission denied"), acting(team):
            act()
    assert attempts() == [(1, 1, "ok", 200)]


def test_the_task_calls_the_configured_service(
    order: Order, team: Actor, service: tuple[StandIn, Client], settings: Any
) -> None:
    from o2c.access.system import system_actor
    from o2c.actor import ambient
    from orders import tasks

    standin, _ = service
    settings.PROVISIONING_URL = ""
    with ambient(system_actor()):
        assert tasks.provision.run() == 0
        with running(standin) as (_, url):
            settings.PROVISIONING_URL = url
            assert tasks.provision.run() == 1
    assert the_one().state == "provisioned"


def test_many_calls_go_out_in_parallel_batches(team: Actor, service: tuple[StandIn, Client]) -> None:
    standin, client = service
    customer = make_customer(team)
    make_order(team, customer, [line("SEATS", n) for n in range(1, 26)], state="active")
    outbox.drain()
    assert go(client, team, batch=10) == provisioning.Progress(called=25, confirmed=25)
    assert len(standin.applied) == 25
