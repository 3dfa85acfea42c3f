"""Filters of lists: what they offer, what they let through."""

from __future__ import annotations

import pytest
from django.urls import reverse

from o2c.actor import Actor
from o2c.console import filters
from o2c.ledger.models import AccountingPeriod, LegalEntity
from tests.console.conftest import SignIn, deliveries

pytestmark = pytest.mark.django_db

PERIODS = "admin:ledger_accountingperiod_changelist"
JOURNALS = "admin:ledger_journal_changelist"


def rows(page: str) -> int:
    return page.count('class="data-row')


def test_a_choice_is_a_select(signed_in: SignIn, maker: Actor) -> None:
    deliveries(["stuck", "done", "done"], maker)
    client = signed_in("auditor")
    url = reverse("admin:outbox_delivery_changelist")

    page = client.get(f"{url}?state__exact=done").content.decode()

    assert '<option value="done" selected>Done</option>' in page
    assert rows(page) == 2


def test_a_related_record_is_a_select_of_few(signed_in: SignIn, entity: LegalEntity) -> None:
    page = signed_in("auditor").get(reverse(PERIODS)).content.decode()

    assert f'<option value="{entity.pk}">Northwind Inc.</option>' in page


def test_of_many_related_records_only_the_chosen_one_is_an_option(
    signed_in: SignIn, entity: LegalEntity, journals: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters, "MOST_OPTIONS", 2)
    august = AccountingPeriod.objects.get(name="2026-08")
    client = signed_in("auditor")

    unfiltered = client.get(reverse(JOURNALS)).content.decode()
    filtered = client.get(f"{reverse(JOURNALS)}?period__id__exact={august.pk}").content.decode()

    assert "period__id__exact" not in unfiltered
    assert f'<option value="{august.pk}" selected>US 2026-08</option>' in filtered
    assert rows(filtered) == 3


def test_a_value_that_occurs_is_a_select(signed_in: SignIn, journals: None) -> None:
    client = signed_in("auditor")

    assert rows(client.get(f"{reverse(JOURNALS)}?rule=invoice.posted").content.decode()) == 3
    assert rows(client.get(f"{reverse(JOURNALS)}?rule=other").content.decode()) == 0


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("posting_date_from=2026-08-02", 2),
        ("posting_date_to=2026-08-02", 2),
        ("posting_date_from=2026-08-02&posting_date_to=2026-08-02", 1),
        ("posting_date_from=nonsense", 3),
    ],
)
def test_days_are_included_at_both_ends(
    query: str, expected: int, signed_in: SignIn, journals: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.contrib import admin

    from o2c.ledger.models import Journal

    monkeypatch.setattr(admin.site._registry[Journal], "list_filter", ["posting_date"])

    page = signed_in("auditor").get(f"{reverse(JOURNALS)}?{query}").content.decode()

    assert rows(page) == expected


def test_an_instant_is_filtered_by_whole_days(signed_in: SignIn, maker: Actor) -> None:
    from o2c import clock

    deliveries(["done"], maker)
    client = signed_in("auditor")
    url = reverse("admin:outbox_domainevent_changelist")
    today = clock.today().isoformat()

    assert rows(client.get(f"{url}?recorded_at_from={today}&recorded_at_to={today}").content.decode()) == 1
    assert rows(client.get(f"{url}?recorded_at_to=2020-01-01").content.decode()) == 0
