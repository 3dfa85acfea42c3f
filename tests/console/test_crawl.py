"""Everybody opens what is offered to them, and nobody what is not theirs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.db import models
from django.test import Client
from django.urls import reverse

from o2c.access.roles import SHIPPED
from o2c.console import RecordAdmin
from o2c.console.permissions import duties, sees
from o2c.console.registry import Page, Queue, registry
from tests.console.crawling import Crawl, codes_on, make_company
from tests.factories.access import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

# Here everything is said in words; elsewhere stand identifiers of meters and of other systems.
IN_WORDS = ("/admin/approvals/request/", "/admin/approvals/delegation/", "/admin/queues/approvals.")
MACHINES = {"automation", "crm", "metering", "bank", "provisioning", "marketplace"}
PERSONAS = [role.code for role in SHIPPED if role.code not in MACHINES]


def sign_in(*roles: str) -> Client:
    client = Client(raise_request_exception=False)
    name = "-".join(("visitor", *roles)).replace("_", "-")
    client.person = make_user(name, *roles)  # type: ignore[attr-defined]
    client.force_login(client.person, backend="o2c.access.backends.DutyBackend")  # type: ignore[attr-defined]
    return client


def records() -> Iterator[tuple[RecordAdmin, str, models.Model | None]]:
    """(admin, beginning of its addresses' names, a record of it or None)."""
    for model, page in admin.site._registry.items():
        assert isinstance(page, RecordAdmin), f"{model} is shown by Django's own admin"
        yield page, f"admin:{model._meta.app_label}_{model._meta.model_name}", model._default_manager.first()


def addresses(page: RecordAdmin, name: str, row: models.Model | None) -> list[str]:
    """All pages of a record type that a GET could open."""
    found = [reverse(f"{name}_changelist"), reverse(f"{name}_add")]
    found += [reverse(f"{name}_list_act", args=[act.name]) for act in page.list_acts]
    if row is not None:
        change = reverse(f"{name}_change", args=[row.pk])
        found += [change, f"{change}?edit=1", *(reverse(f"{name}_{what}", args=[row.pk]) for what in PARTS)]
        found += [reverse(f"{name}_act", args=[row.pk, act.name]) for act in page.all_acts]
        found += [reverse(f"{name}_why", args=[row.pk, field]) for field in page.why_fields]
    return found


PARTS = ("timeline", "history", "as_of", "delete")


def answers(client: Client, addresses: list[str], expected: tuple[int, ...]) -> list[str]:
    got = [(address, client.get(address).status_code) for address in addresses]
    return [
        f"{client.person} opens {address}: {status}"  # type: ignore[attr-defined]
        for address, status in got
        if status not in expected
    ]


def test_everybody_opens_what_is_offered_and_nobody_what_is_not() -> None:
    """Links are followed as each persona from home on: none is refused, none fails, requests are in words."""
    make_company()
    opened: set[str] = set()
    wrong: list[str] = []
    probed: set[str] = set()
    for role in PERSONAS:
        client = sign_in(role)
        crawl = Crawl(client, opened)
        crawl.run()
        wrong += [f"{role}: {problem}" for problem in crawl.wrong]
        wrong += [
            f"{role}: {address} shows {codes}"
            for address, page in crawl.pages.items()
            if address.startswith(IN_WORDS) and (codes := sorted(codes_on(page)))
        ]
        wrong += not_theirs(client, probed)
    assert len(opened) > 200
    assert not wrong, "\n".join(wrong)


def not_theirs(client: Client, probed: set[str]) -> list[str]:
    """Whoever lacks the duty of a page is refused it; each page of each record type is tried once."""
    person: Any = client.person  # type: ignore[attr-defined]
    wrong = []
    for page, name, row in records():
        if page.reading_duty() in duties(person) or name in probed:
            continue
        wrong += answers(client, addresses(page, name, row), (403, 404))
        probed.add(name)
    for queue in registry.all(Queue):
        if not sees(person, queue.duty, queue.roles):
            wrong += answers(client, [reverse("admin:queue", args=[queue.code])], (403,))
    for entry in registry.all(Page):
        if not sees(person, entry.duty, entry.roles):
            wrong += answers(client, [reverse(entry.url)], (403,))
    return wrong


def test_without_a_role_there_is_nothing_to_see() -> None:
    """Also for a superuser: the sign-in page answers, whatever is asked for."""
    people = [sign_in(), Client()]
    people[1].force_login(make_user("root", superuser=True), backend="o2c.access.backends.DutyBackend")
    for client in people:
        for _, name, _ in records():
            answer = client.get(reverse(f"{name}_changelist"))
            assert answer.status_code == 302
            assert answer["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("role", PERSONAS)
def test_who_does_something_in_an_app_sees_its_pages(role: str) -> None:
    """A duty without the page that it is for would be a queue whose rows cannot be opened."""
    held = duties(make_user("somebody", role))
    closed = [page for page, _, _ in records() if not page.view_duty and page.reading_duty() not in held]
    hidden = {page.model._meta.app_label for page in closed}
    # An export is asked for on the list of another app's records.
    assert {duty for duty in held if duty.split(".")[0] in hidden} - {"console.list.export"} == set()
