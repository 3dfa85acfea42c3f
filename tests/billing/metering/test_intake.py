"""Usage events: stored once, totalled in step, and never lost from sight."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from billing.models import UsageBatch, UsageEvent, UsageException, UsageHour
from billing.services import metering, rollups
from o2c.actor import Actor
from o2c.errors import InvalidInput, Malformed, NotAuthorised
from orders.models import Customer, Order, OrderLine
from tests.billing.metering.conftest import NOW, event, send
from tests.factories.access import make_user
from tests.factories.orders import line, make_order

pytestmark = pytest.mark.django_db


def figures(outcome: object) -> tuple[int, int, int, int]:
    return (outcome.received, outcome.accepted, outcome.duplicate, outcome.parked)  # type: ignore[attr-defined]


def test_events_are_stored_and_totalled_by_the_hour(team: Actor, tokens: OrderLine) -> None:
    outcome = send(
        team,
        event("a", "100", "2026-08-03T10:15:00Z"),
        event("b", "50.5", "2026-08-03T10:45:00Z"),
        event("c", "7", "2026-08-03T11:00:00Z"),
        event("d", "9", "2026-08-03T11:00:00Z", dimensions={"model": "mini"}),
    )

    assert figures(outcome) == (4, 4, 0, 0)
    hours = UsageHour.objects.order_by("hour", "dimensions__key").values_list(
        "line", "hour__hour", "dimensions__values", "quantity", "event_count"
    )
    assert list(hours) == [
        (tokens.pk, 10, {"model": "gpt-4o"}, Decimal("150.5"), 2),
        (tokens.pk, 11, {"model": "gpt-4o"}, Decimal("7"), 1),
        (tokens.pk, 11, {"model": "mini"}, Decimal("9"), 1),
    ]
    batch = UsageBatch.objects.get()
    assert (batch.received, batch.accepted, batch.duplicate, batch.parked) == (4, 4, 0, 0)
    assert batch.actor_id == team.user_id


def test_an_event_counts_once_however_often_it_is_sent(team: Actor, tokens: OrderLine) -> None:
    send(team, event("a"), event("b"))

    again = send(team, event("a"), event("b"), event("c"), event("c"))

    assert figures(again) == (4, 1, 3, 0)
    assert UsageEvent.objects.count() == 3
    assert UsageHour.objects.get().quantity == 300


def test_the_same_id_from_another_source_is_another_event(team: Actor, tokens: OrderLine) -> None:
    send(team, event("a"))

    assert figures(send(team, event("a"), source="batch-api")) == (1, 1, 0, 0)


def test_the_same_id_with_other_content_is_a_visible_conflict(team: Actor, tokens: OrderLine) -> None:
    send(team, event("a", "100"))

    outcome = send(team, event("a", "999"), event("b", "1"), event("b", "2"))

    assert figures(outcome) == (3, 1, 0, 2)
    assert [(p.n, p.kind, p.event_id) for p in outcome.problems] == [
        (1, "conflict", "a"),
        (3, "conflict", "b"),
    ]
    parked = UsageException.objects.get(event_id="a")
    assert parked.quantity == 999
    assert parked.raw["quantity"] == "999"
    assert UsageHour.objects.get().quantity == 101


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"customer": "C-999999"}, "unknown_customer"),
        ({"meter": "gpu_seconds"}, "unknown_meter"),
        ({"time": "2026-07-31T23:59:59Z"}, "unmatched"),
        ({"time": "2027-08-01T00:00:00Z"}, "future"),
        ({"time": "2026-09-15T12:05:01Z"}, "future"),
        ({"key": "other-line"}, "unmatched"),
        ({"quantity": "many"}, "malformed"),
        ({"quantity": "NaN"}, "malformed"),
        ({"quantity": "-Infinity"}, "malformed"),
        ({"quantity": "0.1234567891"}, "malformed"),
        ({"quantity": "1e30"}, "malformed"),
        ({"quantity": None}, "malformed"),
        ({"time": "yesterday"}, "malformed"),
        ({"time": "infinity"}, "malformed"),
        ({"time": "2026-02-30T00:00:00Z"}, "malformed"),
        ({"time": None}, "malformed"),
        ({"dimensions": {"colour": "red"}}, "malformed"),
        ({"dimensions": {"model": ["a"]}}, "malformed"),
        ({"dimensions": "red"}, "malformed"),
        ({"id": ""}, "malformed"),
        ({"id": None}, "malformed"),
        ({"id": "x" * 201}, "malformed"),
    ],
)
def test_what_cannot_be_stored_is_parked_with_its_cause(
    team: Actor, tokens: OrderLine, change: dict[str, object], kind: str
) -> None:
    outcome = send(team, event("good"), event("bad") | change)

    assert figures(outcome) == (2, 1, 0, 1)
    assert [(problem.n, problem.kind) for problem in outcome.problems] == [(2, kind)]
    parked = UsageException.objects.get()
    assert (parked.kind, parked.state) == (kind, "open")
    assert parked.message
    assert figures(send(team, event("good"), event("bad") | change)) == (2, 0, 2, 0)
    assert UsageException.objects.count() == 1


@pytest.mark.parametrize(
    ("quantity", "stored"),
    [
        (5, "5"),
        (0.1, "0.1"),
        ("1e3", "1000"),
        ("-3", "-3"),
        ("123456789012.123456789", "123456789012.123456789"),
    ],
)
def test_quantities_are_exact_as_sent(team: Actor, tokens: OrderLine, quantity: object, stored: str) -> None:
    send(team, event("a") | {"quantity": quantity})

    assert UsageEvent.objects.get().quantity == Decimal(stored)


def test_usage_keys_tell_two_lines_of_one_meter_apart(team: Actor, customer: Customer) -> None:
    order = make_order(
        team,
        customer,
        [line("TOKENS", usage_key="team-a"), line("TOKENS", usage_key="team-b")],
        state="active",
    )
    first, second = order.lines.order_by("position")

    send(team, event("a", key="team-a"), event("b", key="team-b"), event("c", key="team-b"))

    assert UsageEvent.objects.filter(line=first).count() == 1
    assert UsageEvent.objects.filter(line=second).count() == 2


def test_two_lines_for_one_event_are_ambiguous_only_while_both_run(
    team: Actor, customer: Customer, order: Order
) -> None:
    make_order(
        team,
        customer,
        [line("TOKENS")],
        state="active",
        starts_on=dt.date(2026, 9, 1),
        ends_on=dt.date(2026, 9, 10),
    )

    outcome = send(
        team,
        event("before", time="2026-08-31T12:00:00Z"),
        event("both", time="2026-09-05T12:00:00Z"),
        event("after", time="2026-09-10T00:00:00Z"),
    )

    assert figures(outcome) == (3, 2, 0, 1)
    assert [(p.event_id, p.kind) for p in outcome.problems] == [("both", "ambiguous")]


def test_the_contracts_time_zone_decides_day_and_hour(team: Actor, customer: Customer) -> None:
    """Kolkata is 5:30 ahead: the contract's 1 August begins at 18:30 UTC, and hours begin at :30."""
    make_order(team, customer, [line("TOKENS")], state="active", terms={"time_zone": "Asia/Kolkata"})

    outcome = send(
        team,
        event("too early", time="2026-07-31T18:29:59Z"),
        event("first", time="2026-07-31T18:30:00Z"),
        event("same hour", time="2026-07-31T19:29:59Z"),
    )

    assert figures(outcome) == (3, 2, 0, 1)
    hour = UsageHour.objects.get()
    assert (hour.hour, hour.event_count) == (dt.datetime(2026, 7, 31, 18, 30, tzinfo=dt.UTC), 2)


def test_an_event_that_was_early_is_stored_when_the_order_is_there(team: Actor, customer: Customer) -> None:
    send(team, event("a"), event("b", customer="C-000404"))
    order = make_order(team, customer, [line("TOKENS")], state="active")

    outcome = metering.retry_for_orders([order.pk], actor=team)

    assert figures(outcome) == (1, 1, 0, 0)
    assert UsageEvent.objects.get().event_id == "a"
    assert dict(UsageException.objects.values_list("event_id", "state")) == {"a": "accepted", "b": "open"}
    assert rollups.verify() == []


def test_a_retry_that_fails_says_why_today(team: Actor, customer: Customer) -> None:
    send(team, event("a", customer="C-000404"))
    parked = UsageException.objects.get()

    outcome = metering.retry([parked.pk], actor=team, as_of=NOW)

    assert figures(outcome) == (1, 0, 0, 1)
    parked.refresh_from_db()
    assert (parked.state, parked.kind) == ("open", "unknown_customer")


def test_rejecting_needs_a_reason_and_keeps_it(team: Actor, tokens: OrderLine) -> None:
    send(team, event("a", quantity="many"))
    parked = UsageException.objects.get()

    with pytest.raises(InvalidInput, match="needs a reason"):
        metering.reject(parked.pk, actor=team)
    metering.reject(parked.pk, actor=team, reason="test traffic")

    parked.refresh_from_db()
    assert (parked.state, parked.decided_note) == ("rejected", "test traffic")


def test_late_usage_waits_where_the_contract_wants_a_review(team: Actor, customer: Customer) -> None:
    from tests.billing.metering.test_rating import bill_through

    order = make_order(
        team, customer, [line("TOKENS")], state="active", terms={"late_usage_policy": "review"}
    )
    send(team, event("in time", "1000000"))
    bill_through(order, dt.date(2026, 9, 1), team)

    outcome = send(team, event("late"), event("not billed yet", time="2026-09-01T00:00:00Z"))

    assert figures(outcome) == (2, 1, 0, 1)
    parked = UsageException.objects.get()
    assert parked.kind == "late"
    metering.retry_one(parked.pk, actor=team, reason="the customer agreed")
    assert UsageEvent.objects.filter(event_id="late").exists()


@pytest.mark.parametrize("body", ['{"events": 5}', "[]x", '{"events": [1, 2]}', "", '{"events": "a"}'])
def test_a_body_of_another_shape_is_refused_whole(team: Actor, tokens: OrderLine, body: str) -> None:
    with pytest.raises((InvalidInput, Malformed)):
        metering.ingest(body, source_code="gateway", actor=team, as_of=NOW)

    assert UsageBatch.objects.count() == 0


def test_no_more_than_a_thousand_events_at_once(team: Actor, tokens: OrderLine) -> None:
    with pytest.raises(InvalidInput, match="1001 events are more"):
        send(team, *(event(str(n)) for n in range(1001)))


def test_sending_needs_the_duty(tokens: OrderLine) -> None:
    stranger = Actor.of(make_user("stranger"))

    with pytest.raises(NotAuthorised):
        send(stranger, event("a"))


def test_events_cannot_be_changed_or_removed(team: Actor, tokens: OrderLine) -> None:
    send(team, event("a"))

    for change in (
        "UPDATE billing_usageevent SET quantity = 0",
        "DELETE FROM billing_usageevent",
        "UPDATE billing_usagebatch SET accepted = 0, duplicate = 1",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(change)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO billing_usageevent (source_id, event_id, line_id, dimensions_id, occurred_at,"
            " quantity, subject, batch_id) SELECT source_id, event_id, line_id, dimensions_id, occurred_at,"
            " quantity, subject, batch_id FROM billing_usageevent"
        )


def test_drift_between_events_and_totals_is_found_and_repaired(team: Actor, tokens: OrderLine) -> None:
    send(team, event("a", "100"), event("b", "5", "2026-08-04T00:00:00Z"))
    assert rollups.verify() == []
    with connection.cursor() as cursor:
        cursor.execute("UPDATE billing_usagehour SET quantity = 99 WHERE quantity = 100")
        cursor.execute("DELETE FROM billing_usagehour WHERE quantity = 5")
        cursor.execute(
            "INSERT INTO billing_usagehour (customer_id, meter_id, line_id, dimensions_id, hour, quantity,"
            " event_count) SELECT customer_id, meter_id, line_id, dimensions_id, '2026-08-09', 3, 1"
            " FROM billing_usagehour"
        )

    drift = rollups.verify()
    assert [(d.quantity_total, d.quantity_events) for d in drift] == [(99, 100), (0, 5), (3, 0)]

    assert rollups.repair(actor=team, reason="a script wrote to the totals") == 2
    assert rollups.verify() == []


def test_the_number_of_statements_does_not_grow_with_the_events(team: Actor, tokens: OrderLine) -> None:
    def statements(*ids: str) -> int:
        events = [event(id) for id in ids]
        with CaptureQueriesContext(connection) as seen:
            send(team, *events)
        return len(seen)

    statements("warm")
    few = statements("a", "b")

    assert statements(*map(str, range(500))) == few
