"""The page of a record: shown, not edited, with what happened to it."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.urls import reverse

from o2c.access.models import User
from o2c.actor import Actor
from o2c.console.registry import Anchor, StripAmount, StripStage, registry
from o2c.ledger import services
from o2c.ledger.models import ExchangeRate, Journal, LegalEntity
from tests.console.conftest import SignIn, deliveries
from tests.factories.access import make_user

pytestmark = pytest.mark.django_db


def entity_page(entity: LegalEntity) -> str:
    return reverse("admin:ledger_legalentity_change", args=(entity.pk,))


def test_amounts_are_right_aligned_with_their_currency(signed_in: SignIn, journals: None) -> None:
    journal = Journal.objects.order_by("pk").last()
    assert journal is not None

    page = (
        signed_in("auditor").get(reverse("admin:ledger_journal_change", args=(journal.pk,))).content.decode()
    )

    assert '<span class="o-figure">1,000.00</span> <span class="o-cur">USD</span>' in page
    assert '<td class="o-num">' in page


def test_a_totals_line_adds_up_each_side(signed_in: SignIn, entity: LegalEntity, journals: None) -> None:
    page = signed_in("auditor").get(entity_page(entity)).content.decode()

    footer = page.split("<tfoot>")[1].split("</tfoot>")[0]
    assert footer.count("1,350.50") == 2
    assert "0.00" in footer


def test_the_timeline_merges_history_and_events_newest_first(
    signed_in: SignIn, entity: LegalEntity, maker: Actor
) -> None:
    services.save_entity("US", actor=maker, reason="moved house", city="Chicago")

    page = signed_in("auditor").get(entity_page(entity)).content.decode()

    timeline = page.split('id="o-timeline"')[1]
    assert timeline.index("“moved house”") < timeline.index("Created")
    assert "<del>Boston</del> → <ins>Chicago</ins>" in timeline
    assert "set-up" in timeline


def test_a_stuck_delivery_is_on_the_timeline_of_its_record(signed_in: SignIn, maker: Actor) -> None:
    (stuck,) = deliveries(["stuck"], maker)

    url = reverse("admin:outbox_domainevent_change", args=(stuck.event_id,))
    page = signed_in("auditor").get(url).content.decode()

    assert "InvalidInput: no price" in page


def test_a_fact_says_who_recorded_it_and_has_no_history(signed_in: SignIn, journals: None) -> None:
    journal = Journal.objects.latest("pk")
    client = signed_in("auditor")

    page = client.get(reverse("admin:ledger_journal_change", args=(journal.pk,))).content.decode()
    history = client.get(reverse("admin:ledger_journal_history", args=(journal.pk,))).content.decode()

    assert "set-up" in page
    assert "A fact has no history" in history


def test_no_page_shows_a_password_hash(signed_in: SignIn) -> None:
    someone = make_user("someone")
    client = signed_in("auditor", "admin")
    pages = ["change", "history", "timeline", "as_of"]

    for page in pages:
        url = reverse(f"admin:access_user_{page}", args=(someone.pk,))
        assert someone.password not in client.get(f"{url}?at=2027-01-01").content.decode()


def test_a_record_that_does_not_exist_is_not_found(signed_in: SignIn) -> None:
    client = signed_in("auditor")

    assert client.get("/admin/ledger/journal/999999/change/").status_code == 404
    assert client.get("/admin/ledger/journal/nonsense/change/").status_code == 404


def test_reading_needs_the_reading_duty(signed_in: SignIn, entity: LegalEntity) -> None:
    client = signed_in("deal_desk")

    assert client.get(entity_page(entity)).status_code == 403
    assert client.get(reverse("admin:ledger_legalentity_changelist")).status_code == 403


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_nothing_is_written_through_the_change_form(
    method: str, signed_in: SignIn, entity: LegalEntity
) -> None:
    client = signed_in("controller")

    response = getattr(client, method)(entity_page(entity), {"name": "Hacked", "city": "Hacked"})

    assert response.status_code in (403, 405)
    entity.refresh_from_db()
    assert entity.name == "Northwind Inc."


@pytest.mark.parametrize("page", ["add/", "1/delete/"])
def test_adding_and_deleting_are_off(page: str, signed_in: SignIn, entity: LegalEntity) -> None:
    assert signed_in("controller").get(f"/admin/ledger/legalentity/{page}").status_code in (302, 403, 404)
    assert LegalEntity.objects.count() == 1


@pytest.fixture
def editable_city(monkeypatch: pytest.MonkeyPatch) -> None:
    entity_admin = admin.site._registry[LegalEntity]
    monkeypatch.setattr(entity_admin, "editable_fields", ["city"])
    monkeypatch.setattr(entity_admin, "edit_duty", "ledger.entity.maintain")


def test_a_declared_field_is_edited_with_actor_and_reason(
    signed_in: SignIn, entity: LegalEntity, editable_city: None
) -> None:
    client = signed_in("controller", username="conrad")
    form = client.get(f"{entity_page(entity)}?edit=1").content.decode()
    assert 'name="city"' in form
    assert 'name="name"' not in form

    client.post(entity_page(entity), {"city": "Denver", "change_reason": "moved", "name": "Hacked"})

    entity.refresh_from_db()
    row = entity.history.latest()
    assert (entity.city, entity.name) == ("Denver", "Northwind Inc.")
    assert (row.history_actor, row.history_change_reason) == ("conrad", "moved")


def test_an_edit_without_the_duty_is_refused(
    signed_in: SignIn, entity: LegalEntity, editable_city: None
) -> None:
    response = signed_in("auditor").post(entity_page(entity), {"city": "Denver"})

    assert response.status_code == 403
    entity.refresh_from_db()
    assert entity.city == "Boston"


def test_what_the_database_refuses_is_a_message_not_a_crash(
    signed_in: SignIn, entity: LegalEntity, monkeypatch: pytest.MonkeyPatch
) -> None:
    entity_admin = admin.site._registry[LegalEntity]
    monkeypatch.setattr(entity_admin, "editable_fields", ["code"])
    monkeypatch.setattr(entity_admin, "edit_duty", "ledger.entity.maintain")

    response = signed_in("controller").post(entity_page(entity), {"code": "XX"}, follow=True)

    assert "The database refused" in response.content.decode()
    entity.refresh_from_db()
    assert entity.code == "US"


def test_the_money_strip_shows_amounts_and_what_is_still_to_come(
    signed_in: SignIn, entity: LegalEntity, monkeypatch: pytest.MonkeyPatch
) -> None:
    from decimal import Decimal

    stages = {
        "q": StripStage("q", "Quoted", 0, lambda anchor: []),
        "a": StripStage("a", "Ordered", 1, lambda anchor: [StripAmount(Decimal("500"), "USD", "/orders/")]),
        "b": StripStage("b", "Invoiced", 2, lambda anchor: []),
        "c": StripStage("c", "Elsewhere", 3, lambda anchor: None),
    }
    monkeypatch.setitem(registry.entries, StripStage, stages)
    entity_admin = admin.site._registry[LegalEntity]
    monkeypatch.setattr(entity_admin, "strip_anchor", lambda obj: Anchor("order", (obj.pk,)))

    page = signed_in("auditor").get(entity_page(entity)).content.decode()

    strip = page.split('class="o-strip"')[1].split("</ol>")[0]
    assert "500.00" in strip
    assert 'href="/orders/"' in strip
    assert "not yet" in strip.split("Invoiced")[1]
    assert ">none<" in strip.split("Ordered")[0]
    assert "Elsewhere" not in strip


def test_a_service_account_opens_on_its_own_page(signed_in: SignIn) -> None:
    machine = User.objects.get(username="scheduler")

    response = signed_in("admin").get(reverse("admin:access_user_change", args=(machine.pk,)))

    assert response["Location"] == reverse("admin:access_serviceaccount_change", args=(machine.pk,))


def test_an_empty_list_says_what_to_do(signed_in: SignIn) -> None:
    page = signed_in("auditor").get(reverse("admin:ledger_exchangerate_changelist")).content.decode()

    assert "No exchange rates yet" in page
    assert "Load a rate" in page
    assert not ExchangeRate.objects.exists()


def test_a_list_that_is_filtered_empty_offers_all_rows(signed_in: SignIn, entity: LegalEntity) -> None:
    url = reverse("admin:ledger_legalentity_changelist")

    page = signed_in("auditor").get(f"{url}?q=nothing-like-this").content.decode()

    assert "No legal entities match" in page
    assert "Show all" in page
