"""Plumbing that every test stands on: the database and its roles, an actor, no network."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from ipaddress import ip_address
from typing import Any

import pytest
from django.db import connection

from tests import database, template


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """Copy the test database from a migrated one."""
    connection.settings_dict["TEST"]["TEMPLATE"] = template.name()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The test database, made by the owner; from here on this process has the app's rights."""
    with django_db_blocker.unblock():
        database.prepare()
        database.step_down()
    database.install_flush()
    yield
    with django_db_blocker.unblock():
        database.step_up()


@pytest.fixture
def as_owner() -> Callable[[], AbstractContextManager[None]]:
    """`with as_owner(): …` runs SQL with the rights of the tables' owner."""
    return database.owner


@pytest.fixture
def any_journal(request: pytest.FixtureRequest) -> Iterator[None]:
    """The books take journals that no event causes."""
    request.getfixturevalue("transactional_db" if _transactional(request) else "db")
    with database.journals_of_anything():
        yield


def _transactional(request: pytest.FixtureRequest) -> bool:
    return "transactional_db" in request.fixturenames or any(
        mark.kwargs.get("transaction") for mark in request.node.iter_markers("django_db")
    )


@pytest.fixture
def actor(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The Actor of a user without any duty; whatever the test writes is written by them."""
    transactional = _transactional(request)
    request.getfixturevalue("transactional_db" if transactional else "db")
    from o2c.access.models import User
    from o2c.actor import Actor, acting, ambient, current_trace, tell_database

    with acting(Actor.installer(), reason="test set-up"):
        user = User.objects.create_user(username="tester")
    with ambient(Actor.of(user), reason="test") as who:
        if not transactional:  # the test's own transaction has begun; any other is told at its BEGIN
            tell_database(current_trace())
        yield who


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    """A test may talk to this machine only: a vendor is a recorded answer or a fake."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6} and not _loopback(address[0]):
            raise RuntimeError(f"A test tried to reach {address[0]}; use a fake on this machine")
        connect(self, address)

    socket.socket.connect = guarded  # type: ignore[method-assign, assignment]
    yield
    socket.socket.connect = connect  # type: ignore[method-assign]


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
