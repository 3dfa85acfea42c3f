"""Bulk acts: first who will pass and who won't, then exactly that."""

from __future__ import annotations

import pytest
from django.urls import reverse

from o2c.actor import Actor
from o2c.console import bulk
from o2c.outbox.models import Delivery
from tests.console.conftest import SignIn, deliveries

pytestmark = pytest.mark.django_db

URL = "/admin/outbox/delivery/bulk/retry/"


def states() -> list[str]:
    return list(Delivery.objects.order_by("pk").values_list("state", flat=True))


def test_the_menu_of_the_list_leads_to_a_preview_that_changes_nothing(
    signed_in: SignIn, maker: Actor
) -> None:
    made = deliveries(["stuck", "done", "stuck"], maker)
    client = signed_in("admin")

    response = client.post(
        reverse("admin:outbox_delivery_changelist"),
        {"action": "bulk_retry", "_selected_action": [d.pk for d in made], "index": 0},
    )

    page = response.content.decode()
    assert "2 will pass" in page
    assert "1 won't" in page
    assert "It has been delivered." in page
    assert states() == ["stuck", "done", "stuck"]


def test_confirming_does_the_rows_and_reports_each(signed_in: SignIn, maker: Actor) -> None:
    made = deliveries(["stuck", "stuck"], maker)
    client = signed_in("admin")

    response = client.post(
        URL, {"confirm": "1", "reason": "price loaded", "_selected_action": [d.pk for d in made]}
    )

    assert "2 done" in response.content.decode()
    assert states() == ["pending", "pending"]


def test_a_row_that_changed_after_the_preview_is_refused_and_the_others_are_done(
    signed_in: SignIn, maker: Actor
) -> None:
    stuck, done = deliveries(["stuck", "done"], maker)
    client = signed_in("admin")

    response = client.post(URL, {"confirm": "1", "_selected_action": [stuck.pk, done.pk]})

    page = response.content.decode()
    assert "1 done" in page
    assert "1 refused" in page
    assert "It has been delivered" in page
    assert states() == ["pending", "done"]


def test_many_rows_are_confirmed_by_typing_their_number(
    signed_in: SignIn, maker: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "TYPE_THE_COUNT_ABOVE", 1)
    pks = [d.pk for d in deliveries(["stuck", "stuck"], maker)]
    client = signed_in("admin")

    refused = client.post(URL, {"confirm": "1", "_selected_action": pks, "count": ""})
    assert "Type 2 to confirm" in refused.content.decode()
    assert states() == ["stuck", "stuck"]

    client.post(URL, {"confirm": "1", "_selected_action": pks, "count": "2"})
    assert states() == ["pending", "pending"]


def test_without_the_duty_nothing_passes(signed_in: SignIn, maker: Actor) -> None:
    made = deliveries(["stuck"], maker)
    client = signed_in("auditor")

    preview = client.post(URL, {"_selected_action": [d.pk for d in made]})
    assert "Nothing to do" in preview.content.decode()

    client.post(URL, {"confirm": "1", "_selected_action": [d.pk for d in made]})
    assert states() == ["stuck"]


def test_a_get_of_the_bulk_address_is_refused(signed_in: SignIn) -> None:
    assert signed_in("admin").get(URL).status_code == 405


def test_more_rows_than_the_limit_are_not_begun(
    signed_in: SignIn, maker: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "LIMIT", 1)
    pks = [d.pk for d in deliveries(["stuck", "stuck"], maker)]

    response = signed_in("admin").post(URL, {"confirm": "1", "_selected_action": pks})

    assert response.status_code == 302
    assert states() == ["stuck", "stuck"]
