"""Acts: a GET shows, a POST does, and what can't be done says why."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from o2c.access.models import AuthToken, Role, RoleGrant, User
from o2c.access.services import tokens
from o2c.actor import Actor
from o2c.outbox.models import Delivery
from tests.console.conftest import SignIn, deliveries, person_of
from tests.factories.access import make_account, make_user

pytestmark = pytest.mark.django_db


def retry_url(delivery: Delivery) -> str:
    return reverse("admin:outbox_delivery_act", args=(delivery.pk, "retry"))


def page_of(delivery: Delivery) -> str:
    return reverse("admin:outbox_delivery_change", args=(delivery.pk,))


def test_opening_the_dialog_changes_nothing(signed_in: SignIn, maker: Actor) -> None:
    (stuck,) = deliveries(["stuck"], maker)
    client = signed_in("admin")

    response = client.get(retry_url(stuck))

    assert response.status_code == 200
    assert "Reason" in response.content.decode()
    stuck.refresh_from_db()
    assert (stuck.state, stuck.attempts) == ("stuck", 8)


def test_confirming_does_it_and_returns_to_the_record(signed_in: SignIn, maker: Actor) -> None:
    (stuck,) = deliveries(["stuck"], maker)
    client = signed_in("admin")

    response = client.post(retry_url(stuck), {"reason": "price loaded"})

    assert response.status_code == 302
    assert response["Location"] == page_of(stuck)
    stuck.refresh_from_db()
    assert (stuck.state, stuck.attempts) == ("pending", 0)


def test_history_says_who_why_and_in_which_request(signed_in: SignIn) -> None:
    client = signed_in("admin", username="ada")
    newcomer = make_user("newcomer")
    role = Role.objects.get(code="auditor")

    client.post(
        reverse("admin:access_user_act", args=(newcomer.pk, "grant")),
        {"role": role.pk, "reason": "joins the audit"},
        headers={"X-Request-ID": "request-4711"},
    )

    row = RoleGrant.history.filter(user_id=newcomer.pk).latest()
    assert row.history_actor == "ada"
    assert row.history_change_reason == "joins the audit"
    assert row.history_request_id == "request-4711"


def test_a_post_without_csrf_token_is_refused(signed_in: SignIn, maker: Actor) -> None:
    (stuck,) = deliveries(["stuck"], maker)
    client = signed_in("admin", enforce_csrf=True)

    response = client.post(retry_url(stuck), {"reason": "x"})

    assert response.status_code == 403
    assert "open for too long" in response.content.decode()
    stuck.refresh_from_db()
    assert stuck.state == "stuck"


def test_a_button_that_cannot_work_is_shown_with_its_reason(signed_in: SignIn, maker: Actor) -> None:
    (done,) = deliveries(["done"], maker)
    client = signed_in("admin")

    page = client.get(page_of(done)).content.decode()

    assert "Retry now" in page
    assert 'aria-disabled="true"' in page
    assert "It has been delivered." in page
    assert f'href="{retry_url(done)}"' not in page


def test_a_missing_duty_is_named_on_the_button(signed_in: SignIn, maker: Actor) -> None:
    (stuck,) = deliveries(["stuck"], maker)
    client = signed_in("auditor")

    page = client.get(page_of(stuck)).content.decode()

    assert "outbox.delivery.retry" in page
    assert f'href="{retry_url(stuck)}"' not in page


def test_what_the_button_refuses_the_post_refuses_too(signed_in: SignIn, maker: Actor) -> None:
    (stuck,) = deliveries(["stuck"], maker)
    client = signed_in("auditor")

    response = client.post(retry_url(stuck), {"reason": "try anyway"})

    assert response.status_code == 422
    assert "outbox.delivery.retry" in response.content.decode()
    stuck.refresh_from_db()
    assert stuck.state == "stuck"


def test_whoever_may_not_read_the_record_may_not_open_its_dialog(signed_in: SignIn, maker: Actor) -> None:
    (stuck,) = deliveries(["stuck"], maker)
    client = signed_in("deal_desk")

    assert client.get(retry_url(stuck)).status_code == 403
    assert client.post(retry_url(stuck)).status_code == 403


def test_a_required_reason_is_required(signed_in: SignIn) -> None:
    client = signed_in("admin")
    newcomer = make_user("newcomer")
    role = Role.objects.get(code="auditor")

    response = client.post(
        reverse("admin:access_user_act", args=(newcomer.pk, "grant")), {"role": role.pk, "reason": ""}
    )

    assert response.status_code == 422
    assert not newcomer.grants.exists()


def test_a_refusal_of_the_service_is_read_in_the_dialog(signed_in: SignIn) -> None:
    client = signed_in("admin")
    owner = make_user("owner")
    make_account("machine", owner=owner)

    response = client.post(
        reverse("admin:access_user_act", args=(owner.pk, "disable")),
        {"reason": "leaves"},
        headers={"HX-Request": "true"},
    )

    page = response.content.decode()
    assert response.status_code == 200
    assert "Still answers for machine" in page
    assert "Give these service accounts another owner first." in page
    owner.refresh_from_db()
    assert owner.is_active


def test_a_form_on_a_page_of_its_own_answers_there_and_not_in_a_dialog(signed_in: SignIn) -> None:
    client = signed_in("admin")
    address = reverse("admin:access_user_list_act", args=("new",))

    page = client.get(address).content.decode()
    dialog = client.get(address, headers={"HX-Request": "true"}).content.decode()

    assert "hx-post" not in page.split('class="o-card o-dialog-page"')[1]
    assert f'hx-post="{address}"' in dialog


def test_htmx_is_told_where_to_go_when_it_is_done(signed_in: SignIn, maker: Actor) -> None:
    (stuck,) = deliveries(["stuck"], maker)
    client = signed_in("admin")

    response = client.post(retry_url(stuck), {"reason": ""}, headers={"HX-Request": "true"})

    assert response.status_code == 204
    assert response["HX-Redirect"] == page_of(stuck)


def test_a_new_person_is_made_and_opened(signed_in: SignIn) -> None:
    client = signed_in("admin")

    response = client.post(
        reverse("admin:access_user_list_act", args=("new",)),
        {"username": "grace", "display_name": "Grace Hopper", "email": "grace@example.com"},
    )

    grace = User.objects.get(username="grace")
    assert response["Location"] == reverse("admin:access_user_change", args=(grace.pk,))


def test_a_token_is_shown_once_and_kept_nowhere(signed_in: SignIn) -> None:
    client = signed_in("admin")
    account = make_account("machine", "auditor")

    response = client.post(
        reverse("admin:access_serviceaccount_act", args=(account.pk, "issue")),
        {"name": "test", "scopes": ["ledger.read"], "days": 30, "reason": ""},
    )

    page = response.content.decode()
    token = AuthToken.objects.get(account=account)
    secret = next(word for word in page.split('"') if word.startswith(f"o2c_{token.prefix}_"))
    assert tokens.digest(secret) == token.digest
    again = client.get(reverse("admin:access_authtoken_change", args=(token.pk,))).content.decode()
    assert secret not in again
    assert token.digest not in again


def test_an_unknown_act_is_not_found(signed_in: SignIn, maker: Actor) -> None:
    (stuck,) = deliveries(["stuck"], maker)

    response = signed_in("admin").get(reverse("admin:outbox_delivery_act", args=(stuck.pk, "explode")))

    assert response.status_code == 404


def test_every_registered_act_changes_by_post_only(signed_in: SignIn) -> None:
    """No admin of ours uses the library's own actions, whose buttons are plain links that act on GET."""
    from django.contrib import admin

    for model_admin in admin.site._registry.values():
        for kind in ("actions_list", "actions_row", "actions_detail", "actions_submit_line"):
            assert not getattr(model_admin, kind, ()), f"{model_admin} declares {kind}"


def test_a_person_without_a_role_does_not_come_in(signed_in: SignIn) -> None:
    client: Client = signed_in(username="nobody")

    response = client.get(reverse("admin:index"))

    assert response.status_code == 302
    assert reverse("admin:login") in response["Location"]
    assert person_of(client).is_staff
