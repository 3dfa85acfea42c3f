"""The console's pages of access, through real requests."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from o2c.access import has_duty
from o2c.access.models import AuthToken, Role, RoleGrant, ServiceAccount, SignIn, User
from tests.factories.access import make_account, make_token

pytestmark = pytest.mark.django_db
Person = Callable[..., User]


@pytest.fixture
def admin(person: Person, client: Client) -> Client:
    client.force_login(person("admin", "admin"), backend="o2c.access.backends.DutyBackend")
    return client


@pytest.mark.parametrize("model", [User, ServiceAccount, Role, RoleGrant, AuthToken, SignIn])
def test_lists_and_pages_open(admin: Client, model: type) -> None:
    robot = make_account("robot", "admin")
    make_token(robot, ["access.read"])
    name = f"admin:access_{model._meta.model_name}"  # type: ignore[attr-defined]
    assert admin.get(reverse(f"{name}_changelist")).status_code == 200
    for row in model.objects.all()[:3]:  # type: ignore[attr-defined]
        assert admin.get(reverse(f"{name}_change", args=[row.pk]), follow=True).status_code == 200


def test_who_lacks_the_reading_duty_sees_nothing(person: Person, client: Client) -> None:
    client.force_login(person("dora", "deal_desk"), backend="o2c.access.backends.DutyBackend")
    assert client.get(reverse("admin:access_user_changelist")).status_code == 403


def test_granting_a_role_by_its_dialog(admin: Client, person: Person) -> None:
    anna = person("anna")
    address = reverse("admin:access_user_act", args=[anna.pk, "grant"])
    assert admin.get(address).status_code == 200
    assert not has_duty(anna, "billing.read")

    role = Role.objects.get(code="auditor")
    answer = admin.post(address, {"role": role.pk, "reason": "audit of 2026"})

    assert answer.status_code in (200, 302)
    held = RoleGrant.objects.get(user=anna)
    assert (held.role.code, held.granted_by.username, held.reason) == ("auditor", "admin", "audit of 2026")


def test_the_auditor_has_no_button_that_works(person: Person, client: Client) -> None:
    anna = person("anna")
    client.force_login(person("olga", "auditor"), backend="o2c.access.backends.DutyBackend")
    role = Role.objects.get(code="admin")
    answer = client.post(
        reverse("admin:access_user_act", args=[anna.pk, "grant"]), {"role": role.pk, "reason": "mine"}
    )
    assert answer.status_code in (200, 403, 409, 422)
    assert not RoleGrant.objects.filter(user=anna).exists()
    assert client.get(reverse("admin:access_user_add")).status_code == 403


def test_disable_from_the_page(admin: Client, person: Person) -> None:
    anna = person("anna")
    admin.post(reverse("admin:access_user_act", args=[anna.pk, "disable"]), {"reason": "left"})
    anna.refresh_from_db()
    assert not anna.is_active
    assert anna.history.first().history_change_reason == "left"


def test_revoke_a_token_from_its_page(admin: Client) -> None:
    make_token(make_account("robot", "admin"), ["access.read"])
    token = AuthToken.objects.get()
    admin.post(reverse("admin:access_authtoken_act", args=[token.pk, "revoke"]), {"reason": "leaked"})
    token.refresh_from_db()
    assert token.revoked_by is not None
    assert token.revoked_by.username == "admin"
