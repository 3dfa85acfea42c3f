"""A repeated call gives the first answer and has no second effect, also when both arrive at once."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from o2c import clock
from o2c.access.models import Role
from o2c.api import idempotency
from o2c.api.models import IdempotentCall
from tests.api.conftest import Caller
from tests.api.probe import Roles
from tests.factories.access import make_account, make_token

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.probe")]
DESK = {"code": "desk", "name": "Desk"}


def test_the_key_is_mandatory(caller: Caller) -> None:
    answer = caller.post("/api/v1/roles", DESK, key="")
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")
    assert not Role.objects.filter(code="desk").exists()


@pytest.mark.parametrize("key", ["k" * 256, "a\tb"])
def test_a_key_that_can_be_none(caller: Caller, key: str) -> None:
    answer = caller.post("/api/v1/roles", DESK, key=key)
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid")


def test_sent_twice_done_once(caller: Caller) -> None:
    first = caller.post("/api/v1/roles", DESK, key="deal-17")
    second = caller.post("/api/v1/roles", {"name": "Desk", "code": "desk"}, key="deal-17")

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["meta"]["idempotent_replay"] is False
    assert second.json()["meta"]["idempotent_replay"] is True
    assert second["Idempotency-Replayed"] == "true"
    assert {k: v for k, v in first.json().items() if k != "meta"} == {
        k: v for k, v in second.json().items() if k != "meta"
    }
    assert first["ETag"] == second["ETag"]
    assert Role.objects.filter(code="desk").count() == 1


def test_another_body_under_the_same_key(caller: Caller) -> None:
    caller.post("/api/v1/roles", DESK, key="deal-17")
    answer = caller.post("/api/v1/roles", DESK | {"name": "Other"}, key="deal-17")
    assert (answer.status_code, answer.json()["code"]) == (422, "payload_changed_for_key")
    assert Role.objects.get(code="desk").name == "Desk"


def test_another_address_under_the_same_key(caller: Caller) -> None:
    caller.post("/api/v1/roles", DESK, key="deal-17")
    answer = caller.post("/api/v1/fault", DESK, key="deal-17")
    assert answer.json()["code"] == "payload_changed_for_key"


def test_keys_of_two_accounts_do_not_meet(caller: Caller) -> None:
    other = Caller(make_token(make_account("other", "admin"), ["access.role.maintain"]))
    caller.post("/api/v1/roles", DESK, key="deal-17")
    answer = other.post("/api/v1/roles", {"code": "till", "name": "Till"}, key="deal-17")
    assert answer.status_code == 201
    assert answer.json()["meta"]["idempotent_replay"] is False


def test_a_refusal_does_not_use_up_the_key(caller: Caller) -> None:
    assert caller.post("/api/v1/roles", {"code": "desk"}, key="deal-17").status_code == 422
    assert caller.post("/api/v1/roles", DESK, key="deal-17").status_code == 201


def test_a_fault_leaves_neither_effect_nor_answer(caller: Caller) -> None:
    assert caller.post("/api/v1/fault", {"what": "bug"}, key="deal-17").status_code == 500
    assert not IdempotentCall.objects.exists()
    assert not Role.objects.filter(code="written-before-the-fault").exists()


def test_answers_are_forgotten_after_their_time(caller: Caller) -> None:
    caller.post("/api/v1/roles", DESK, key="deal-17")
    assert idempotency.forget(as_of=clock.now() + dt.timedelta(days=399)) == 0
    assert idempotency.forget(as_of=clock.now() + dt.timedelta(days=401)) == 1


@pytest.fixture
def held() -> Iterator[threading.Event]:
    """The first request waits inside its transaction until this is set."""
    Roles.hold, Roles.entered = threading.Event(), threading.Event()
    yield Roles.hold
    Roles.hold.set()
    Roles.hold = None


@pytest.mark.django_db(transaction=True)
def test_the_same_key_at_the_same_time(held: threading.Event) -> None:
    # Given a request that has written and not yet committed
    secret = make_token(make_account("robot", "admin"), ["access.role.maintain"])
    answers: list[Any] = []

    def send() -> None:
        try:
            answers.append(Caller(secret).post("/api/v1/roles", DESK, key="deal-17"))
        finally:
            connection.close()

    first = threading.Thread(target=send)
    first.start()
    assert Roles.entered.wait(10)

    # When it arrives again over another connection
    second = threading.Thread(target=send)
    second.start()
    second.join(10)

    # Then the second is told to come back, and then gets the answer of the first
    assert (answers[0].status_code, answers[0].json()["code"]) == (409, "request_in_flight")
    held.set()
    first.join(10)
    assert answers[1].status_code == 201
    again = Caller(secret).post("/api/v1/roles", DESK, key="deal-17")
    assert again.json()["meta"]["idempotent_replay"] is True
    assert Role.objects.filter(code="desk").count() == 1


@pytest.mark.django_db(transaction=True)
def test_eight_at_once_have_one_effect() -> None:
    secret = make_token(make_account("robot", "admin"), ["access.role.maintain"])
    barrier = threading.Barrier(8)
    statuses: list[tuple[int, bool]] = []

    def send() -> None:
        try:
            barrier.wait(10)
            answer = Caller(secret).post("/api/v1/roles", DESK, key="deal-17")
            replayed = answer.json().get("meta", {}).get("idempotent_replay", False)
            statuses.append((answer.status_code, replayed))
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert len(statuses) == 8
    assert [status for status in statuses if status == (201, False)] == [(201, False)]
    assert set(statuses) <= {(201, False), (201, True), (409, False)}
    assert Role.objects.filter(code="desk").count() == 1
    assert IdempotentCall.objects.count() == 1
