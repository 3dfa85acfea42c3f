"""The plumbing that other tests trust: emptying the database, stepping up to the owner, no network."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.db import connection

from o2c.access.models import Role, User
from o2c.actor import acting


@pytest.mark.django_db(transaction=True)
def test_a_transactional_test_finds_the_seed_and_leaves_rows(actor: Any) -> None:
    assert Role.objects.filter(code="billing_ops").exists()
    with acting(actor):
        User.objects.create_user("left-behind")
    assert User.objects.filter(username="left-behind").exists()


@pytest.mark.django_db(transaction=True)
def test_the_next_one_finds_them_gone_and_the_seed_in_place(actor: Any) -> None:
    assert not User.objects.filter(username="left-behind").exists()
    assert Role.objects.filter(code="billing_ops").exists()
    assert User.objects.filter(username="system").exists()
    with acting(actor):
        User.objects.create_user("keys-go-on-above-the-seed")


def test_as_owner_steps_up_and_down(db: None, as_owner: Callable[[], AbstractContextManager[None]]) -> None:
    def who() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            return str(cursor.fetchone()[0])

    assert who() == "o2c_app"
    with as_owner():
        assert who() == "o2c_owner"
    assert who() == "o2c_app"


def test_a_test_cannot_reach_the_internet() -> None:
    with socket.socket() as outside, pytest.raises(RuntimeError, match="use a fake"):
        outside.connect(("203.0.113.1", 443))
