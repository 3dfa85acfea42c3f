"""Versions side by side, and the record as it was."""

from __future__ import annotations

import datetime as dt

import pytest
from django.urls import reverse
from django.utils.http import urlencode

from o2c import clock, vault
from o2c.actor import Actor
from o2c.console import format as fmt
from o2c.console.diffs import FieldChange, plain
from o2c.ledger import services
from o2c.ledger.models import LegalEntity
from orders.models import Amendment, Order
from orders.services import amendments
from tests.console.conftest import SignIn
from tests.factories.orders import line, make_customer, make_order, orders_team

pytestmark = pytest.mark.django_db


@pytest.fixture
def order_with_an_amendment() -> Order:
    team = orders_team()
    order = make_order(team, make_customer(team), [line("SEATS", 20)], state="active")
    october = dt.date(2026, 10, 1)
    asked = {"lines": [{"line": order.lines.get().pk, "quantity": "30"}]}
    drafted = amendments.draft(
        order.pk, kind="quantity", effective_on=october, changes=asked, actor=team, reason="growth"
    )
    amendments.apply(drafted.pk, actor=team, as_of=october)
    return order


@pytest.fixture
def moved(entity: LegalEntity, maker: Actor) -> LegalEntity:
    """Boston, then Chicago, then Denver; made in one transaction, so the versions are told apart by id."""
    services.save_entity("US", actor=maker, reason="first move", city="Chicago")
    return services.save_entity("US", actor=maker, reason="second move", city="Denver")


def url(entity: LegalEntity, page: str) -> str:
    return reverse(f"admin:ledger_legalentity_{page}", args=(entity.pk,))


def test_each_version_shows_before_and_after(signed_in: SignIn, moved: LegalEntity) -> None:
    page = signed_in("auditor").get(url(moved, "history")).content.decode()

    newest, older, created = page.split("o-version")[1:4]
    assert "<del>Chicago</del>" in newest
    assert "<ins>Denver</ins>" in newest
    assert "“second move”" in newest
    assert "<del>Boston</del>" in older
    assert "Created" in created
    assert "<ins>Northwind, Inc.</ins>" in created


def test_the_oldest_version_of_a_page_is_compared_with_the_one_before_it(
    signed_in: SignIn, moved: LegalEntity, monkeypatch: pytest.MonkeyPatch
) -> None:
    from o2c.console import history_views

    monkeypatch.setattr(history_views, "PER_PAGE", 1)

    page = signed_in("auditor").get(f"{url(moved, 'history')}?p=2").content.decode()

    assert page.count("o-version") == 1
    assert "<del>Boston</del>" in page
    assert "<ins>Chicago</ins>" in page


def test_as_it_was_stands_beside_as_it_is(signed_in: SignIn, moved: LegalEntity) -> None:
    later = (moved.history.latest().history_date + dt.timedelta(seconds=1)).isoformat()

    page = signed_in("auditor").get(f"{url(moved, 'as_of')}?{urlencode({'at': later})}").content.decode()

    assert "Denver" in page
    assert "o-changed" not in page


def test_before_it_was_made_it_did_not_exist(signed_in: SignIn, moved: LegalEntity) -> None:
    page = signed_in("auditor").get(f"{url(moved, 'as_of')}?at=2020-01-01").content.decode()

    assert "It didn't exist then" in page or "It didn&#x27;t exist then" in page


def test_a_moment_that_cannot_be_read_is_explained(signed_in: SignIn, moved: LegalEntity) -> None:
    page = signed_in("auditor").get(f"{url(moved, 'as_of')}?at=last+tuesday").content.decode()

    assert "Write a moment as 2026-08-31" in page


def test_the_whole_timeline_filters_by_kind(signed_in: SignIn, moved: LegalEntity) -> None:
    client = signed_in("auditor")

    changes = client.get(f"{url(moved, 'timeline')}?kind=change").content.decode()
    events = client.get(
        f"{url(moved, 'timeline')}?kind=event", headers={"HX-Request": "true"}
    ).content.decode()

    assert "second move" in changes
    assert "second move" not in events
    assert "<html" not in events


def test_a_nested_value_says_what_of_it_changed() -> None:
    before = {"USD": {"net": "10.00", "lines": 1}, "EUR": {"net": "5.00"}}
    after = {"USD": {"net": "12.00", "lines": 1}, "EUR": {"net": "5.00"}}

    assert FieldChange("Totals", "totals", None, "", (before, after)).texts == (
        "Totals", "2 entries", "2 entries; changed: USD",
    )  # fmt: skip
    assert FieldChange("Totals", "totals", None, "", (None, after)).texts[1:] == (fmt.NONE, "2 entries")
    assert FieldChange("City", "city", "Boston", "Denver", ("Boston", "Denver")).texts[1:] == (
        "Boston", "Denver",
    )  # fmt: skip


def test_parts_stand_as_they_were_known_and_in_effect(
    signed_in: SignIn, order_with_an_amendment: Order
) -> None:
    """Twenty seats from August; since yesterday's amendment thirty from October."""
    order = order_with_an_amendment
    before = Amendment.history.filter(order_id=order.pk).earliest("history_id").history_date
    page = reverse("admin:orders_order_as_of", args=(order.pk,))
    client = signed_in("auditor")

    def seats(at: dt.datetime, **on: str) -> list[tuple[str, bool]]:
        context = client.get(f"{page}?{urlencode({'at': at.isoformat(), **on})}").context
        part = next(p for p in context["parts"] if p.title == "Segments")
        quantity = list(part.columns).index("Quantity")
        return [(plain(cells[quantity]), changed) for changed, cells in part.rows]

    known_before = before - dt.timedelta(microseconds=1)
    assert seats(known_before) == [("20", True)], "one segment, without the end that it was given later"
    assert seats(known_before, on="2026-10-15") == [("20", True)]
    assert seats(clock.now()) == [("20", False), ("30", False)]
    assert seats(clock.now(), on="2026-09-15") == [("20", False)]
    assert seats(clock.now(), on="2026-10-15") == [("30", False)]


def test_bank_details_of_the_past_are_masked(signed_in: SignIn, moved: LegalEntity) -> None:
    account = moved.bank_account
    later = (moved.history.latest().history_date + dt.timedelta(seconds=1)).isoformat()

    page = signed_in("auditor").get(f"{url(moved, 'as_of')}?{urlencode({'at': later})}").content.decode()

    assert f"•••• {vault.opened(account)[-4:]}" in page
    assert account not in page
