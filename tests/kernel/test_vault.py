"""Bank data: sealed in the columns, masked on pages, shown once with a reason; every reading is kept."""

from __future__ import annotations

import base64

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from o2c import vault
from o2c.access.models import ReadEvent
from o2c.actor import Actor, acting
from o2c.audit.install import existing_triggers
from o2c.errors import InvalidInput, NotAuthorised
from o2c.ledger.models import LegalEntity
from o2c.ledger.services import reveal_bank, save_entity
from o2c.runtime.management.commands.vault import rotate
from tests import database
from tests.factories.access import make_account, make_token, make_user
from tests.factories.orders import make_customer, orders_team

IBAN = "DE89370400440532013000"  # the example of the standard
OLD = "old1:" + base64.urlsafe_b64encode(bytes(64)).decode()
NEW = "new2:" + base64.urlsafe_b64encode(bytes(range(64))).decode()


@given(st.text())
def test_what_was_sealed_opens_again(said: str) -> None:
    hidden = vault.sealed(said)
    assert vault.opened(hidden) == (vault.opened(said) if vault.is_sealed(said) else said)
    assert vault.sealed(hidden) == hidden == vault.sealed(said)


def test_a_value_that_was_tampered_with_does_not_open() -> None:
    hidden = vault.sealed(IBAN)
    assert IBAN not in hidden
    swapped = hidden[:-6] + ("A" if hidden[-6] != "A" else "B") + hidden[-5:]
    with pytest.raises(ImproperlyConfigured, match="cannot be opened"):
        vault.opened(swapped)


def test_the_last_four_are_shown_and_never_half_of_it() -> None:
    assert vault.masked(vault.sealed(IBAN)) == "•••• 3000"
    assert vault.masked(vault.sealed("12345678")) == "••••"
    assert vault.masked("") == ""


@pytest.fixture
def controller(db: None) -> Actor:
    return Actor.of(make_user("carla", "controller"))


@pytest.fixture
def entity(controller: Actor) -> LegalEntity:
    saved = save_entity(
        "DE", name="Acme DE", legal_name="Acme GmbH", currency="EUR", country="DE", line1="Weg 1",
        city="Berlin", postal_code="10115", email="ar@acme.example", bank_name="Erste Bank",
        bank_account=IBAN, swift="COBADEFF", actor=controller,
    )  # fmt: skip
    return LegalEntity.objects.get(pk=saved.pk)


def everywhere(text: str) -> list[str]:
    """The tables in which a row holds the text."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        tables = [name for (name,) in cursor.fetchall()]
        found = []
        for table in tables:
            cursor.execute(f'SELECT EXISTS (SELECT 1 FROM "{table}" t WHERE t::text LIKE %s)', [f"%{text}%"])
            if cursor.fetchone()[0]:
                found.append(table)
    return found


def test_no_table_holds_it_in_clear_nor_does_history(entity: LegalEntity) -> None:
    assert vault.opened(entity.bank_account) == IBAN
    assert set(everywhere("Erste Bank")) == {"ledger_legalentity", "ledger_historicallegalentity"}
    assert everywhere(IBAN) == []


def test_the_table_refuses_clear_text(entity: LegalEntity, controller: Actor) -> None:
    with pytest.raises(DatabaseError, match="bank_account_is_sealed"), acting(controller):
        with connection.cursor() as cursor:
            cursor.execute("UPDATE ledger_legalentity SET bank_account = %s WHERE id = %s", [IBAN, entity.pk])


def test_saving_the_same_details_again_is_no_change_of_them(entity: LegalEntity, controller: Actor) -> None:
    save_entity("DE", bank_account=IBAN, actor=controller)
    assert entity.history.count() == 1


def test_reading_takes_a_duty_a_reason_and_leaves_a_record(entity: LegalEntity, controller: Actor) -> None:
    with pytest.raises(NotAuthorised):
        reveal_bank(entity.pk, actor=Actor.of(make_user("root", superuser=True)), reason="curious")
    with pytest.raises(InvalidInput, match="Say why"):
        reveal_bank(entity.pk, actor=controller)
    assert not ReadEvent.objects.exists()
    assert reveal_bank(entity.pk, actor=controller, reason="Asked by the bank")["bank_account"] == IBAN
    event = ReadEvent.objects.get()
    assert (event.kind, event.reader, event.rows, event.why) == ("reveal", "carla", 1, "Asked by the bank")
    with pytest.raises(DatabaseError), acting(controller):
        ReadEvent.objects.all().delete()


def test_the_page_shows_the_last_four_and_the_dialog_all_once(entity: LegalEntity, client: Client) -> None:
    client.login(username="carla", password="correct horse battery")
    page = client.get(reverse("admin:ledger_legalentity_change", args=(entity.pk,))).content.decode()
    assert IBAN not in page
    assert "•••• 3000" in page
    address = reverse("admin:ledger_legalentity_act", args=(entity.pk, "reveal_bank"))
    shown = client.post(address, {"reason": "Asked by the bank"}).content.decode()
    assert IBAN in shown
    assert ReadEvent.objects.count() == 1


@pytest.mark.parametrize("query", ["", "?limit=200", "?country=US"])
def test_a_list_by_the_api_is_on_record_however_it_is_asked_for(db: None, client: Client, query: str) -> None:
    """Page by page, or narrowed by what all have in common, it is everything."""
    make_customer(orders_team())
    robot = make_account("robot", "crm")
    headers = {"Authorization": f"Bearer {make_token(robot, ['orders.read'])}"}
    assert client.get("/api/v1/customers?country=FR", headers=headers).json()["data"] == []
    assert not ReadEvent.objects.exists()
    got = client.get(f"/api/v1/customers{query}", headers=headers).json()["data"]
    event = ReadEvent.objects.get()
    assert (event.kind, event.reader, event.what) == ("api", "robot", f"/api/v1/customers{query}")
    assert event.rows == len(got) == 1


def test_keys_rotate(entity: LegalEntity, settings) -> None:  # type: ignore[no-untyped-def]
    before = entity.bank_account
    settings.FIELD_KEYS = f"{NEW},{settings.FIELD_KEYS}"
    guards = existing_triggers()
    with database.owner():
        assert rotate() == 1
        assert rotate() == 0
    assert {key for key in guards if "_no_truncate" not in key[1]} <= set(existing_triggers())
    assert existing_triggers()["ledger_legalentity", "o2c_now_ledger_entity_change_bank"] == "A"
    entity.refresh_from_db()
    assert entity.bank_account.startswith("enc:new2:")
    assert entity.bank_account != before
    assert vault.opened(entity.bank_account) == IBAN
    assert entity.history.count() == 2
    settings.FIELD_KEYS = OLD
    with pytest.raises(ImproperlyConfigured, match="new2"):
        vault.opened(entity.bank_account)
