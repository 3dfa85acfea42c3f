"""The health page and the metrics say what is wrong, and to whom."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from o2c import clock
from o2c.audit.tasks import seal
from o2c.runtime import health
from o2c.runtime.models import Heartbeat, Job

pytestmark = pytest.mark.django_db


def _beat(component: str, seconds_ago: int) -> None:
    Heartbeat.objects.create(component=component, at=clock.now() - dt.timedelta(seconds=seconds_ago))


def _found(name: str) -> health.Finding:
    return next(finding for finding in health.findings() if finding.name == name)


def test_all_is_well_when_everything_ticks(db: None) -> None:
    _beat("beat", 5)
    _beat("worker:o2c@one", 5)
    seal()

    assert [finding.name for finding in health.findings() if not finding.well] == []


def test_a_silent_scheduler_and_silent_workers_are_noticed(db: None) -> None:
    assert not _found("scheduler").well
    assert not _found("workers").well

    _beat("beat", 90)
    _beat("worker:o2c@one", 90)
    _beat("worker:o2c@two", 10)

    assert not _found("scheduler").well
    assert _found("workers").well
    assert _found("workers").detail.startswith("1 alive")


def test_a_job_that_nobody_takes_is_noticed(actor: Any) -> None:
    long_ago = clock.now() - dt.timedelta(minutes=10)
    Job.objects.create(kind="tests.count_to", actor_id=actor.user_id, due_at=long_ago)

    finding = _found("jobs")
    assert not finding.well
    assert finding.seconds is not None
    assert 599 < finding.seconds < 660


def test_live_asks_nobody(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        response = client.get("/health/live")
    assert (response.status_code, response.content) == (200, b"o2c alive\n")


def test_ready_says_no_more_than_which_check_fails(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/health/ready").json() == {"ready": True, "failing": []}

    def broken() -> health.Finding:
        return health.Finding("database", False, "password of o2c_app is wrong")

    monkeypatch.setattr(health, "READY", (broken,))
    response = client.get("/health/ready")
    assert (response.status_code, response.json()) == (503, {"ready": False, "failing": ["database"]})


def test_details_and_metrics_are_for_those_who_know_the_token(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = "only-for-monitors"
    assert client.get("/metrics").status_code == 403
    assert "checks" not in client.get("/health/").json()

    bearer = {"Authorization": "Bearer only-for-monitors"}
    assert "checks" in client.get("/health/", headers=bearer).json()
    text = client.get("/metrics", headers=bearer).content.decode()
    assert 'o2c_well{check="database"} 1.0' in text
    assert 'o2c_age_seconds{what="outbox"} 0.0' in text
    assert "django_http_requests_total" in text


def test_without_a_token_production_tells_nobody(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = ""
    settings.PRODUCTION = True
    assert client.get("/metrics").status_code == 403

    settings.PRODUCTION = False
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="203.0.113.9").status_code == 403


def test_the_page_for_people_names_each_check(client: Client, django_user_model: Any) -> None:
    from o2c.actor import Actor, acting

    with acting(Actor.installer(), reason="test"):
        user = django_user_model.objects.create_user("watcher", is_staff=True)
    client.force_login(user)

    response = client.get("/health/", headers={"Accept": "text/html"})

    assert response.status_code == 503  # nothing ticks here
    page = response.content.decode()
    assert "Something needs attention" in page
    assert "never ticked" in page
