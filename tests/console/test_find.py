"""Search by what people have in hand."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.urls import reverse

from o2c.ledger.models import LegalEntity
from tests.console.conftest import SignIn

pytestmark = pytest.mark.django_db


def find(client: object, words: str, **headers: str) -> str:
    response = client.get(reverse("admin:find"), {"q": words, "stay": "1"})  # type: ignore[attr-defined]
    return str(response.content.decode())


def test_a_name_is_found_by_any_part(signed_in: SignIn, entity: LegalEntity) -> None:
    assert "Northwind Inc." in find(signed_in("auditor"), "wind")


def test_an_exact_identifier_opens_its_record(signed_in: SignIn, entity: LegalEntity) -> None:
    response = signed_in("auditor").get(reverse("admin:find"), {"q": "us"})

    assert response["Location"] == reverse("admin:ledger_legalentity_change", args=(entity.pk,))


def test_nothing_is_found_that_the_person_may_not_see(signed_in: SignIn, entity: LegalEntity) -> None:
    page = find(signed_in("deal_desk"), "northwind")

    assert "Northwind Inc." not in page
    assert "Nothing found" in page


def test_an_amount_is_found_with_an_equals_sign(
    signed_in: SignIn, entity: LegalEntity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin.site._registry[LegalEntity], "find_amounts", ["pk"])
    client = signed_in("auditor")

    assert "Northwind Inc." in find(client, f"={entity.pk}.00")
    assert "Northwind Inc." not in find(client, "=1,234.50")
    assert "Nothing found" in find(client, "=abc")


def test_the_palette_finds_records_and_pages(signed_in: SignIn, entity: LegalEntity) -> None:
    client = signed_in("auditor")

    records = client.get(reverse("admin:search"), {"s": "northwind", "extended": "1"}).content.decode()
    pages = client.get(reverse("admin:search"), {"s": "journals", "extended": "1"}).content.decode()

    assert "Northwind Inc." in records
    assert reverse("admin:ledger_journal_changelist") in pages


def test_wildcards_are_taken_literally(signed_in: SignIn, entity: LegalEntity) -> None:
    assert "Northwind Inc." not in find(signed_in("auditor"), "%_%")
