"""Figures for Prometheus: Django's own by django-prometheus, and the lags that say whether work gets done."""

from __future__ import annotations

import os
from collections.abc import Iterator

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Count
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import REGISTRY, GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from o2c.runtime import health
from o2c.runtime.models import BrokerMessage, Job


class WorkCollector(Collector):
    """Read from the database when asked, so that every web process gives the same answer."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield self._ages()
        yield self._well()
        jobs = GaugeMetricFamily("o2c_jobs", "Jobs by kind and state", labels=["kind", "state"])
        for kind, state, count in Job.objects.values_list("kind", "state").annotate(n=Count("id")).order_by():
            jobs.add_metric([kind, state], count)
        yield jobs
        waiting = GaugeMetricFamily("o2c_embedded_broker_messages", "Messages in the embedded broker")
        waiting.add_metric([], BrokerMessage.objects.count())
        yield waiting

    def _ages(self) -> GaugeMetricFamily:
        ages = GaugeMetricFamily(
            "o2c_age_seconds", "Age of the oldest due delivery or job, of the last tick or sign of life",
            labels=["what"],
        )  # fmt: skip
        for check in (health.outbox, health.jobs, health.scheduler, health.workers, health.seals):
            finding = check()
            if finding.seconds is not None:
                ages.add_metric([finding.name], finding.seconds)
        return ages

    def _well(self) -> GaugeMetricFamily:
        well = GaugeMetricFamily("o2c_well", "1 when the health check passes", labels=["check"])
        for finding in health.findings():
            well.add_metric([finding.name], int(finding.well))
        return well


def page() -> bytes:
    """The exposition text of all web processes together."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        general = generate_latest(registry)
    else:
        general = generate_latest(REGISTRY)
    work = CollectorRegistry()
    work.register(WorkCollector())
    try:
        return general + generate_latest(work)
    except DatabaseError:
        return general + b"# the database does not answer\n"


def allowed(request: HttpRequest) -> bool:
    """Whoever knows O2C_METRICS_TOKEN; without one, only this machine itself, and never in production."""
    token = settings.METRICS_TOKEN
    if token:
        return constant_time_compare(request.headers.get("Authorization", ""), f"Bearer {token}")
    return not settings.PRODUCTION and request.META.get("REMOTE_ADDR") in {"127.0.0.1", "::1"}
