"""The embedded task broker: a kombu transport over the product's own PostgreSQL (`pgq://`).

Claim with SKIP LOCKED, lease, delete on acknowledgement. The worker's main loop renews the leases of what
it holds, so a lease is short: what a killed worker held is taken up by another within LEASE_SECONDS,
however long tasks take. For a laptop and small installations; CELERY_BROKER_URL moves to Redis or RabbitMQ.

Remote control (`celery inspect`) and fan-out are not provided; o2c.runtime.health looks at heartbeats.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from json import dumps, loads
from queue import Empty
from typing import Any, ClassVar

import psycopg
from kombu.transport import TRANSPORT_ALIASES, virtual

LEASE_SECONDS = 60  # transport option "lease_seconds"; renewed at a quarter of it
POLL_SECONDS = 0.25

CLAIM = """
UPDATE runtime_brokermessage SET leased_until = clock_timestamp() + make_interval(secs => %(lease)s)
WHERE id = (SELECT id FROM runtime_brokermessage
            WHERE queue = %(queue)s AND (leased_until IS NULL OR leased_until < clock_timestamp())
            ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1)
RETURNING id, payload"""
RENEW = """
UPDATE runtime_brokermessage SET leased_until = clock_timestamp() + make_interval(secs => %s)
WHERE id = ANY(%s)"""


class QoS(virtual.QoS):
    """Acknowledging deletes the row; it may happen in another thread than the one that claims."""

    channel: Any
    _delivered: Any
    _dirty: Any

    def ack(self, delivery_tag: str) -> None:
        self._forget(delivery_tag)
        super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        if not requeue:
            self._forget(delivery_tag)
        super().reject(delivery_tag, requeue=requeue)

    def _forget(self, delivery_tag: str) -> None:
        message = self._delivered.get(delivery_tag)
        if message is not None:
            self.channel.forget(message.properties["pgq_id"])

    def held(self) -> list[int]:
        """The rows of messages that were delivered and neither acknowledged nor rejected yet."""
        delivered = list(self._delivered.items())
        return [message.properties["pgq_id"] for tag, message in delivered if tag not in self._dirty]


class Channel(virtual.Channel):
    """One connection in autocommit: every statement stands for itself."""

    QoS = QoS
    supports_fanout = False

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        self.lease = connection.client.transport_options.get("lease_seconds", LEASE_SECONDS)
        self._database: psycopg.Connection[Any] | None = None
        self._database_pid = 0
        self._lock = threading.Lock()
        super().__init__(connection, **kwargs)

    def _execute(self, query: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[Any]:
        with self._lock:
            # A connection inherited through fork belongs to the parent.
            if self._database is None or self._database.closed or self._database_pid != os.getpid():
                self._database = psycopg.connect(**parameters_of(self.connection.client), autocommit=True)
                self._database_pid = os.getpid()
            cursor = self._database.execute(query.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
        self._execute(
            "INSERT INTO runtime_brokermessage (queue, payload) VALUES (%s, %s)", (queue, dumps(message))
        )

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        rows = self._execute(CLAIM, {"queue": queue, "lease": self.lease})
        if not rows:
            raise Empty
        message: dict[str, Any] = loads(rows[0][1])
        message["properties"]["pgq_id"] = rows[0][0]
        return message

    def forget(self, row: int) -> None:
        self._execute("DELETE FROM runtime_brokermessage WHERE id = %s", (row,))

    def renew(self) -> None:
        qos: Any = self.qos
        held: list[int] = qos.held()
        if held:
            self._execute(RENEW, (self.lease, held))

    def _restore(self, message: Any) -> None:
        """Give a delivered message back at once, for any worker."""
        self._execute(
            "UPDATE runtime_brokermessage SET leased_until = NULL WHERE id = %s",
            (message.properties["pgq_id"],),
        )

    _restore_at_beginning = _restore

    def _size(self, queue: str) -> int:
        rows = self._execute("SELECT count(*) FROM runtime_brokermessage WHERE queue = %s", (queue,))
        return int(rows[0][0])

    def _purge(self, queue: str) -> int:
        return len(self._execute("DELETE FROM runtime_brokermessage WHERE queue = %s RETURNING id", (queue,)))

    def _delete(self, queue: str, *args: Any, **kwargs: Any) -> None:
        self._purge(queue)

    def close(self) -> None:
        super().close()
        with self._lock:
            if self._database is not None and self._database_pid == os.getpid():
                self._database.close()
            self._database = None


class Transport(virtual.Transport):
    Channel = Channel
    polling_interval = POLL_SECONDS
    driver_type = "postgresql"
    driver_name = "psycopg"
    connection_errors = (
        *virtual.Transport.connection_errors,
        psycopg.OperationalError,
        psycopg.InterfaceError,
    )
    channel_errors = (*virtual.Transport.channel_errors, psycopg.Error)

    client: Any
    channels: Any
    _renewed = 0.0

    default_connection_params: ClassVar[dict[str, Any]] = {}

    def driver_version(self) -> str:
        return psycopg.__version__

    def drain_events(self, connection: Any, timeout: float | None = None, **kwargs: Any) -> None:
        lease = self.client.transport_options.get("lease_seconds", LEASE_SECONDS)
        if time.monotonic() - self._renewed > lease / 4:
            self._renewed = time.monotonic()
            for channel in list(self.channels):
                channel.renew()
        super().drain_events(connection, timeout=timeout)


def parameters_of(client: Any) -> dict[str, Any]:
    """Where the messages are: the address in pgq://…, or Django's database for the bare `pgq://`."""
    if client.hostname:
        return {
            "host": client.hostname,
            "port": client.port or 5432,
            "user": client.userid,
            "password": client.password,
            "dbname": client.virtual_host,
            "application_name": "o2c broker",
        }
    from django.db import connection

    parameters: dict[str, Any] = connection.get_connection_params()
    for ours in ("cursor_factory", "context", "prepare_threshold", "assume_role", "pool"):
        parameters.pop(ours, None)
    return parameters | {"application_name": "o2c broker"}


def register() -> None:
    """Make `pgq` a scheme that kombu knows."""
    TRANSPORT_ALIASES["pgq"] = "o2c.runtime.broker:Transport"
