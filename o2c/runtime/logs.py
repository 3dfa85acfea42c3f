"""Structured logs: every line carries the request, task or job it belongs to, and who acts.

JSON, one object per line, for a log collector; coloured text for a terminal. The standard library's loggers
go through the same processors, so Django's and Celery's lines look like ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import structlog

_silent: ContextVar[bool] = ContextVar("o2c_silent", default=False)

SHARED: tuple[Any, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
)


def configure(level: str, style: str) -> dict[str, Any]:
    """Set structlog up and answer Django's LOGGING. `style` is "json" or "text"."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            _drop_noise,
            *SHARED,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderer = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    final: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if style == "json":
        final.append(structlog.processors.format_exc_info)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [*final, renderer],
                "foreign_pre_chain": SHARED,
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "propagate": True, "level": level},
            # django_structlog says the same with the request id; the server's own lines would double it.
            "django.server": {"handlers": [], "propagate": False},
            "django.request": {"level": "ERROR"},
            "axes": {"level": "WARNING"},
            # One line per call to a vendor says nothing that the vendor's own log of ours doesn't.
            **{name: {"level": "WARNING"} for name in ("httpx", "httpcore", "boto3", "botocore", "urllib3")},
            # Several lines for each of the tasks that run every other second; what they do is in our own.
            **{
                name: {"level": "WARNING"}
                for name in ("celery.app.trace", "celery.beat", "celery.worker.strategy")
            },
        },
    }


@contextmanager
def silence() -> Iterator[None]:
    """No lines from what this context does: refusals that are wanted are nothing to be alerted by."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


def _drop_noise(_logger: Any, _name: str, event: Any) -> Any:
    """One line per request, when it is finished; none for the probes of a load balancer, or in `silence`."""
    if _silent.get():
        raise structlog.DropEvent
    if event.get("event") == "request_started" or "GET /health/live" in str(event.get("request", "")):
        raise structlog.DropEvent
    return event
