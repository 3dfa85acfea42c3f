"""Around the pages: sidebar, content policy, error pages."""

from __future__ import annotations

import datetime as dt

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import path, reverse

from o2c import clock
from o2c.console import errors, home, navigation
from o2c.console.registry import Page, registry
from o2c.urls import urlpatterns as real_patterns
from tests.console.conftest import SignIn, person_of

pytestmark = pytest.mark.django_db


def titles(client: Client) -> dict[str, list[str]]:
    request = RequestFactory().get("/admin/")
    request.user = person_of(client)
    return {g["title"]: [item["title"] for item in g["items"]] for g in navigation.sidebar(request)}


def test_the_sidebar_shows_what_the_duties_open(signed_in: SignIn) -> None:
    assert "Ledger" not in titles(signed_in("admin"))
    assert "Journals" in titles(signed_in("controller"))["Ledger"]
    assert "Checks" in titles(signed_in("auditor"))["Controls & audit"]


def test_areas_without_an_act_for_the_person_are_folded(signed_in: SignIn) -> None:
    request = RequestFactory().get("/admin/")
    request.user = person_of(signed_in("controller"))

    folded = {g["title"]: g.get("collapsible", False) for g in navigation.sidebar(request)}

    assert folded["Ledger"] is False
    assert folded["People and access"] is True


def test_every_page_of_the_sidebar_opens(signed_in: SignIn) -> None:
    client = signed_in("auditor", "controller", "admin", excused=True)
    request = RequestFactory().get("/admin/")
    request.user = person_of(client)

    for group in navigation.sidebar(request):
        for item in group["items"]:
            response = client.get(item["link"])
            assert response.status_code == 200, item["link"]


def test_registered_pages_resolve() -> None:
    from o2c.console.home import address

    for page in registry.all(Page):
        assert address(page.url).startswith("/")


def test_unsafe_eval_is_for_the_admin_only(signed_in: SignIn) -> None:
    client = signed_in("auditor")

    admin_policy = client.get(reverse("admin:index"))["Content-Security-Policy"]
    other_policy = client.get("/no-such-page")["Content-Security-Policy"]

    assert "'unsafe-eval'" in admin_policy
    assert "'unsafe-inline'" not in admin_policy.split("script-src")[1].split(";")[0]
    assert "'unsafe-eval'" not in other_policy


def test_pages_of_the_admin_are_not_kept_by_browsers(signed_in: SignIn) -> None:
    assert "no-store" in signed_in("auditor").get(reverse("admin:index"))["Cache-Control"]


def test_a_missing_page_says_so_with_the_request_id(signed_in: SignIn) -> None:
    response = signed_in("auditor").get("/no-such-page", headers={"X-Request-ID": "request-4711"})

    page = response.content.decode()
    assert response.status_code == 404
    assert "There is nothing here" in page
    assert "request-4711" in page
    assert "tried" not in page


def test_a_forbidden_page_names_the_duty(signed_in: SignIn) -> None:
    response = signed_in("deal_desk").get(reverse("admin:checks"))

    assert response.status_code == 403
    assert "invariants.read" in response.content.decode()


def boom(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("secret detail")


urlpatterns = [path("boom/", boom), *real_patterns]
handler500 = "o2c.console.errors.server_error"


@override_settings(ROOT_URLCONF=__name__)
def test_a_crash_shows_the_request_id_and_no_detail(signed_in: SignIn) -> None:
    client = signed_in("auditor")
    client.raise_request_exception = False

    response = client.get("/boom/", headers={"X-Request-ID": "request-4711"})

    page = response.content.decode()
    assert response.status_code == 500
    assert "request-4711" in page
    assert "rolled back" in page
    assert "secret detail" not in page


def test_the_error_page_needs_no_database(django_assert_num_queries: object) -> None:
    with django_assert_num_queries(0):  # type: ignore[operator]
        response = errors.server_error(RequestFactory().get("/"))

    assert response.status_code == 500


@pytest.mark.parametrize(
    ("hour", "part"), [(0, "evening"), (3, "evening"), (4, "morning"), (12, "afternoon"), (18, "evening")]
)
def test_the_greeting_knows_the_night(monkeypatch: pytest.MonkeyPatch, hour: int, part: str) -> None:
    monkeypatch.setattr(clock, "now", lambda: dt.datetime(2026, 8, 3, hour, 30, tzinfo=dt.UTC))

    assert home._part_of_day() == part


def test_an_auditor_finds_figures_on_home(signed_in: SignIn) -> None:
    client = signed_in("auditor")
    client.get("/admin/")

    page = client.get(reverse("admin:figures")).content.decode()

    for title in ("Checks", "Journals", "Months of the books", "Open tie-outs", "Overdue"):
        assert title in page
