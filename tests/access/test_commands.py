"""The command line of access."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from o2c.access import has_duty
from o2c.access.models import AuthToken, User
from o2c.access.services import tokens

pytestmark = pytest.mark.django_db
Person = Callable[..., User]


def run(*words: str, typed: str = "", monkeypatch: Any = None) -> str:
    out = io.StringIO()
    if monkeypatch is not None:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    call_command(*words, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_from_nobody_to_a_person_with_a_role(monkeypatch: pytest.MonkeyPatch) -> None:
    phrase = "a long enough phrase\n"
    who = ("--email", "x@example.com", "--name", "X")
    run("access", "bootstrap", "root", *who, typed=phrase, monkeypatch=monkeypatch)
    by = ("--by", "root", "--reason", "joins")
    run("access", "person", "anna", *who, *by, typed=phrase, monkeypatch=monkeypatch)
    run("access", "grant", "anna", "auditor", *by)
    anna = User.objects.get(username="anna")
    assert has_duty(anna, "access.read")
    assert "auditor from" in run("access", "show", "anna")
    run("access", "revoke", "anna", "auditor", *by)
    assert not has_duty(anna, "access.read")
    with pytest.raises(CommandError, match="Nobody grants a role to themselves"):
        run("access", "grant", "root", "controller", *by)


def test_roles_are_listed_with_their_duties() -> None:
    told = run("access", "roles")
    assert "auditor: Sees everything, changes nothing." in told
    assert "access.role.grant" in told


def test_sync_says_what_it_changed() -> None:
    assert "0 duties added, 0 removed" in run("access", "sync")


def test_a_token_from_issue_to_revocation(person: Person) -> None:
    person("admin", "admin")
    issue = ("tokens", "issue", "bank", "--name", "collector", "--scope", "billing.read", "--by", "admin")
    secret = run(*issue).strip()
    token = tokens.find(secret)
    assert token is not None
    assert (token.name, token.created_by.username) == ("collector", "admin")
    assert f"{token.prefix}  " in run("tokens", "list")
    run("tokens", "revoke", token.prefix, "--by", "admin")
    assert tokens.find(secret) is None
    assert "revoked" in run("tokens", "list", "--account", token.account.username)
    assert AuthToken.objects.get(revoked_by__username="admin").prefix == token.prefix


@pytest.mark.parametrize(
    "words",
    [
        ("access", "show", "nobody"),
        ("access", "grant", "nobody", "auditor", "--by", "nobody", "--reason", "x"),
        ("tokens", "issue", "nobody", "--name", "x", "--by", "nobody"),
        ("tokens", "revoke", "nothing", "--by", "nobody"),
    ],
)
def test_what_is_not_there_is_said(words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match="There is no"):
        run(*words)
