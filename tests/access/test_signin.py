"""Coming in: by password for humans, locked after failures, every attempt on record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from o2c.access.models import SignIn, User
from o2c.access.services import accounts
from o2c.actor import Actor
from o2c.errors import Conflict, NotAuthorised
from tests.factories.access import PASSWORD, make_account

pytestmark = pytest.mark.django_db
Person = Callable[..., User]


def sign_in(client: Client, username: str, password: str = PASSWORD) -> Any:
    return client.post(reverse("admin:login"), {"username": username, "password": password})


def test_a_person_with_a_role_comes_in_and_it_is_on_record(person: Person, client: Client) -> None:
    anna = person("anna", "auditor")
    answer = sign_in(client, "anna")
    assert answer.status_code == 302
    row = SignIn.objects.get()
    assert (row.outcome, row.user, row.username, row.address) == ("signed_in", anna, "anna", "127.0.0.1")
    assert row.actor_id == anna.pk
    client.post(reverse("admin:logout"))
    assert SignIn.objects.latest("pk").outcome == "signed_out"


def test_signing_in_changes_nothing_about_the_person(person: Person, client: Client) -> None:
    anna = person("anna", "auditor")
    sign_in(client, "anna")
    assert anna.history.count() == 1


@pytest.mark.parametrize("username", ["anna", "nobody"])
def test_a_wrong_password_is_refused_the_same_for_known_and_unknown(
    person: Person, client: Client, username: str
) -> None:
    person("anna", "auditor")
    answer = sign_in(client, username, "wrong")
    assert answer.status_code == 200
    assert b"Please enter the correct username and password" in answer.content
    row = SignIn.objects.get()
    assert (row.outcome, row.user, row.username) == ("refused", None, username)


def test_a_service_account_cannot_sign_in(client: Client) -> None:
    make_account("robot", "auditor")
    for password in ("", "!"):
        assert sign_in(client, "robot", password).status_code == 200
    assert not client.session.get("_auth_user_id")


def test_a_disabled_person_is_out_with_the_next_request(person: Person, client: Client) -> None:
    admin, anna = person("admin", "admin"), person("anna", "auditor")
    sign_in(client, "anna")
    assert client.get(reverse("admin:index")).status_code == 200
    accounts.disable(anna.pk, actor=Actor.of(admin))
    assert client.get(reverse("admin:index")).status_code == 302


def test_an_old_cookie_does_not_come_back_with_the_person(person: Person, client: Client) -> None:
    admin, anna, bert = person("admin", "admin"), person("anna", "auditor"), person("bert", "auditor")
    sign_in(client, "anna")
    other = Client()
    sign_in(other, "bert")
    accounts.disable(anna.pk, actor=Actor.of(admin))
    accounts.enable(anna.pk, actor=Actor.of(admin))
    assert client.get(reverse("admin:index")).status_code == 302
    assert other.get(reverse("admin:index")).status_code == 200
    assert bert.is_active


def test_failures_lock_the_name_at_this_address(person: Person, client: Client, settings: Any) -> None:
    settings.AXES_ENABLED = True
    settings.AXES_FAILURE_LIMIT = 3
    person("anna", "auditor")
    answers = [sign_in(client, "anna", f"wrong {n}").status_code for n in range(3)]
    locked = sign_in(client, "anna", PASSWORD)

    assert answers[:2] == [200, 200]
    assert locked.status_code == 429
    assert b"opens again in" in locked.content
    assert not client.session.get("_auth_user_id")
    assert SignIn.objects.filter(outcome="locked").exists()
    # Another name from here, and this name from elsewhere, are not locked.
    person("bert", "auditor")
    assert sign_in(Client(), "bert").status_code == 302
    assert sign_in(Client(REMOTE_ADDR="10.0.0.9"), "anna").status_code == 302


def test_an_administrator_lifts_the_lock(person: Person, client: Client, settings: Any) -> None:
    settings.AXES_ENABLED, settings.AXES_FAILURE_LIMIT = True, 2
    admin, anna = person("admin", "admin"), person("anna", "auditor")
    for n in range(3):
        sign_in(client, "anna", f"wrong {n}")
    assert sign_in(Client(), "anna").status_code == 429

    accounts.unlock(anna.pk, actor=Actor.of(admin), reason="called me back")

    assert sign_in(Client(), "anna").status_code == 302
    assert SignIn.objects.get(outcome="unlocked").actor_id == admin.pk
    with pytest.raises(Conflict, match="Is not locked"):
        accounts.unlock(anna.pk, actor=Actor.of(admin))
    with pytest.raises(NotAuthorised):
        accounts.unlock(anna.pk, actor=Actor.of(anna))


def test_a_person_changes_their_own_password(person: Person, client: Client) -> None:
    anna = person("anna", "auditor")
    sign_in(client, "anna")
    new = "another long phrase"
    answer = client.post(
        reverse("admin:password_change"),
        {"old_password": PASSWORD, "new_password1": new, "new_password2": new},
    )
    assert answer.status_code == 302, answer.context["form"].errors
    assert sign_in(Client(), "anna", new).status_code == 302
    assert anna.history.first().history_user_id == anna.pk


def test_the_forwarded_address_is_believed_only_behind_a_proxy(
    person: Person, client: Client, settings: Any
) -> None:
    person("anna", "auditor")
    forged = {"X-Forwarded-For": "6.6.6.6, 203.0.113.7"}
    address = reverse("admin:login")
    form = {"username": "anna", "password": PASSWORD}
    client.post(address, form, headers=forged)
    settings.AXES_IPWARE_PROXY_COUNT = 1
    Client().post(address, form, headers=forged)
    assert list(SignIn.objects.order_by("pk").values_list("address", flat=True)) == [
        "127.0.0.1",
        "203.0.113.7",
    ]


def test_every_page_carries_the_request_id(client: Client) -> None:
    assert client.get(reverse("admin:login"), headers={"X-Request-ID": "abcd-1234"})["X-Request-ID"] == (
        "abcd-1234"
    )
    assert len(client.get(reverse("admin:login"))["X-Request-ID"]) == 36
