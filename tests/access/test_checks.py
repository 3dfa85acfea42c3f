"""The system checks say what is missing."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import checks as django_checks

from o2c.access import checks, registry
from o2c.errors import InvalidInput


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_duties", dict(registry._duties))
    monkeypatch.setattr(
        registry, "_role_duties", {role: set(codes) for role, codes in registry._role_duties.items()}
    )


def test_the_product_is_complete() -> None:
    assert django_checks.run_checks(tags=["access"]) == []


def test_a_duty_without_a_role(declared: None) -> None:
    registry.declare({"orders.moon.sell": "Sell the moon"}, {})
    (found,) = checks.check_duties(None)
    assert found.id == "access.E002"
    assert "'orders.moon.sell' belongs to no shipped role" in found.msg


def test_a_role_with_an_unknown_duty(declared: None) -> None:
    registry.declare({}, {"auditor": ["orders.moon.sell"]})
    (found,) = checks.check_duties(None)
    assert (found.id, "which no app declares" in found.msg) == ("access.E003", True)


def test_a_role_that_does_not_ship(declared: None) -> None:
    registry.declare({}, {"king": ["access.role.grant"]})
    (found,) = checks.check_duties(None)
    assert found.id == "access.E004"


def test_a_transition_with_an_unknown_duty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_duties", {})
    found = checks.check_transitions(None)
    assert {message.id for message in found} <= {"access.E001"}


@pytest.mark.parametrize("code", ["Orders.x", "orders", "orders.a.b.c", "orders.x-y", "orders..x", ""])
def test_a_malformed_duty(declared: None, code: str) -> None:
    with pytest.raises(InvalidInput, match="is no duty code"):
        registry.declare({code: "x"}, {})


def test_one_code_with_two_meanings(declared: None) -> None:
    with pytest.raises(InvalidInput, match="declared twice"):
        registry.declare({"access.role.grant": "Something else"}, {})


def test_the_actor_is_known_only_after_authentication(settings: Any) -> None:
    settings.MIDDLEWARE = [checks.MIDDLEWARE, checks.AUTHENTICATION]
    (found,) = checks.check_middleware(None)
    assert found.id == "access.E005"
