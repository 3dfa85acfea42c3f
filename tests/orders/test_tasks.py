"""What runs by itself: the daily close, the start of provisioning, the stand-in as a process."""

from __future__ import annotations

import datetime as dt
import socket
import subprocess
import sys
import time
from typing import Any

import httpx
import pytest
from kombu.exceptions import OperationalError

from o2c import clock
from o2c.access.system import system_actor
from o2c.actor import Actor, ambient, current_trace, tell_database
from orders import tasks
from orders.models import Customer, Order
from orders.services import quotes
from orders.services.inputs import QuoteInput
from tests.factories.orders import TERM_END, TERM_START, line, make_order

pytestmark = pytest.mark.django_db


def test_the_day_closes_orders_and_quotes_in_the_name_of_the_product(
    team: Actor, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = make_order(team, customer, [line("SEATS")], state="active")
    quote = quotes.create_draft(
        QuoteInput(customer.pk, TERM_START, dt.date(2027, 7, 1), (line("SEATS"),), ends_on=TERM_END),
        actor=team,
    )
    monkeypatch.setattr(clock, "today", lambda tz="UTC": TERM_END)
    with ambient(system_actor()):
        tell_database(current_trace())
        assert tasks.daily.run() == {"orders": 1, "quotes": 1}
        assert tasks.daily.run() == {"orders": 0, "quotes": 0}
    order.refresh_from_db()
    quote.refresh_from_db()
    assert (order.state, quote.state) == ("completed", "expired")
    newest = Order.history.filter(id=order.pk).first()
    assert (newest.history_user.username, newest.history_change_reason) == ("system", "term is over")


def test_a_broker_that_is_down_loses_nothing(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    sent: list[str] = []

    def down() -> None:
        sent.append("tried")
        raise OperationalError("connection refused")

    monkeypatch.setattr(tasks.provision, "delay", down)
    settings.PROVISIONING_URL = ""
    tasks.send_provisioning()
    assert sent == []
    settings.PROVISIONING_URL = "http://127.0.0.1:1"
    tasks.send_provisioning()
    assert sent == ["tried"]


def test_the_stand_in_runs_as_a_process_and_ends_when_told() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "manage.py", "provisioning_standin", "--port", str(port), "--misbehave", "fail"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        assert wait_for(f"{url}/healthz"), process.stdout
        body = {"action": "grant", "revision": 1}
        headers = {"Idempotency-Key": "k1"}
        answers = [httpx.put(f"{url}/v1/entitlements/e1", json=body, headers=headers) for _ in range(3)]
        assert [a.status_code for a in answers] == [503, 200, 200]
        assert answers[2].json()["replayed"] is True
        other = httpx.put(f"{url}/v1/entitlements/e1", json={**body, "revision": 2}, headers=headers)
        assert other.status_code == 422
        assert httpx.post(f"{url}/control", json={"misbehave": ["explode"]}).status_code == 422
        assert [g["id"] for g in httpx.get(f"{url}/v1/entitlements").json()["data"]] == [
            answers[1].json()["id"]
        ]
    finally:
        process.terminate()
        assert process.wait(timeout=20) == 0


def wait_for(url: str, seconds: float = 60) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            return httpx.get(url).status_code == 200
        except httpx.TransportError:
            time.sleep(0.2)
    return False
