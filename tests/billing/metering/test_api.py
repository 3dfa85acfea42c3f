"""Usage by API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from billing.models import UsageBatch, UsageHour
from orders.models import OrderLine
from tests.billing.metering.conftest import event
from tests.factories.access import make_account, make_token

pytestmark = pytest.mark.django_db


@pytest.fixture
def gateway(client: Client) -> Client:
    account = make_account("gateway", "metering")
    client.defaults["HTTP_AUTHORIZATION"] = (
        f"Bearer {make_token(account, ['billing.usage.ingest', 'billing.read'])}"
    )
    return client


def post(client: Client, *events: dict[str, Any], **more: Any) -> Any:
    body = json.dumps({"source": "gateway", "events": events} | more)
    return client.post("/api/v1/usage/events", body, content_type="application/json")


def test_a_batch_is_answered_with_counts_and_problems(gateway: Client, tokens: OrderLine) -> None:
    answer = post(gateway, event("a"), event("a"), event("b", meter="unheard-of"))

    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert (body["received"], body["accepted"], body["duplicate"], body["parked"]) == (3, 1, 1, 1)
    (problem,) = body["problems"]
    assert (problem["n"], problem["id"], problem["kind"]) == (3, "b", "unknown_meter")
    assert UsageBatch.objects.get().request_id == body["meta"]["request_id"]


def test_sending_without_the_duty_or_without_a_token_is_refused(client: Client, tokens: OrderLine) -> None:
    assert post(client, event("a")).status_code == 401
    token = make_token(make_account("reader", "crm"), ["billing.read"])
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    assert post(client, event("a")).status_code == 403


@pytest.mark.parametrize("body", ["", "{", "[]", '{"events": {}}', '{"source": "x"}', '{"events": ["a"]}'])
def test_a_body_of_another_shape_is_a_problem_document(gateway: Client, tokens: OrderLine, body: str) -> None:
    answer = gateway.post("/api/v1/usage/events", body, content_type="application/json")

    unread = body in ("", "{")
    assert answer.status_code == (400 if unread else 422), answer.content
    assert answer.json()["code"] == ("malformed" if unread else "invalid")
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert UsageBatch.objects.count() == 0


def test_hours_are_read_by_customer_meter_and_time(gateway: Client, tokens: OrderLine) -> None:
    post(gateway, event("a"), event("b", "7", "2026-08-04T10:00:00Z"))
    hour = UsageHour.objects.order_by("hour").last()
    assert hour is not None

    answer = gateway.get(
        "/api/v1/usage/hours",
        {"customer": hour.customer.number, "meter": "tokens", "since": "2026-08-04T00:00:00Z"},
    )

    (row,) = answer.json()["data"]
    assert (row["quantity"], row["event_count"], row["dimensions"]) == ("7.000000000", 1, {"model": "gpt-4o"})


def test_parked_events_are_read(gateway: Client, tokens: OrderLine) -> None:
    post(gateway, event("a", meter="unheard-of"))

    (row,) = gateway.get("/api/v1/usage/exceptions", {"state": "open"}).json()["data"]

    assert (row["event_id"], row["kind"], row["source"]) == ("a", "unknown_meter", "gateway")
