"""The checks that must find nothing: asked, kept, shown."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from o2c.actor import Actor
from o2c.errors import NotAuthorised
from o2c.invariants import invariant, services
from o2c.invariants import registry as invariants
from o2c.invariants.models import InvariantResult, InvariantRun
from tests.console.conftest import SignIn
from tests.factories.access import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    """One check that holds, one that finds two rows, one whose query is wrong."""
    monkeypatch.setattr(invariants, "_declared", {})
    invariant("test.holds", "Nothing is wrong")(lambda: "SELECT 1 AS n WHERE false")
    invariant("test.fails", "Numbers are small")(lambda: "SELECT n, 'x' AS why FROM generate_series(1, 2) n;")
    invariant("test.broken", "The table is there")(lambda: "SELECT * FROM no_such_table")


@pytest.fixture
def auditor() -> Actor:
    return Actor.of(make_user("audrey", "auditor"))


def test_a_check_finds_its_rows_and_a_broken_one_stops_nobody(three: None) -> None:
    found = {o.invariant.code: o for o in services.check()}

    assert found["test.holds"].passed
    assert found["test.fails"].violations == 2
    assert found["test.fails"].sample == [{"n": 1, "why": "x"}, {"n": 2, "why": "x"}]
    assert found["test.broken"].violations is None
    assert "no_such_table" in found["test.broken"].error


def test_more_rows_than_a_sample_are_counted_in_full(three: None) -> None:
    invariant("test.many", "Few rows")(lambda: "SELECT n FROM generate_series(1, 250) n")

    (found,) = services.check(["test.many"])

    assert found.violations == 250
    assert len(found.sample) == 100


def test_a_run_keeps_what_each_check_said(three: None, auditor: Actor) -> None:
    kept = services.run(actor=auditor)

    assert (kept.checked, kept.failing) == (3, 2)
    assert {r.code: r.violations for r in kept.results.all()} == {
        "test.holds": 0,
        "test.fails": 2,
        "test.broken": None,
    }


def test_running_needs_the_duty(three: None) -> None:
    with pytest.raises(NotAuthorised, match=r"invariants\.run\.start"):
        services.run(actor=Actor.of(make_user("dana", "deal_desk")))

    assert not InvariantRun.objects.exists()


def test_a_code_that_selects_nothing_is_a_mistake(three: None) -> None:
    with pytest.raises(ValueError, match="No invariant is called 'tset'"):
        services.check(["tset"])


def test_a_code_is_declared_once(three: None) -> None:
    def other() -> str:
        return "SELECT 1"

    with pytest.raises(ValueError, match="declared twice"):
        invariant("test.holds", "Something else")(other)


def test_the_command_fails_when_a_check_fails(three: None) -> None:
    out = StringIO()

    with pytest.raises(CommandError, match="2 of 3"):
        call_command("invariants", "run", stdout=out)

    assert "FAILS test.fails" in out.getvalue()
    call_command("invariants", "run", "test.holds", stdout=out)
    assert "All 1 invariants hold" in out.getvalue()


def test_the_page_lists_failing_checks_first(three: None, auditor: Actor, signed_in: SignIn) -> None:
    services.run(actor=auditor)

    page = signed_in("controller").get(reverse("admin:checks")).content.decode()

    assert "2 of 3 checks fail" in page
    assert page.index("test.fails") < page.index("test.holds")


def test_the_button_runs_them_and_the_page_of_one_shows_its_rows(three: None, signed_in: SignIn) -> None:
    client = signed_in("auditor")

    client.post(reverse("admin:checks_run"))
    page = client.get(reverse("admin:check", args=("test.fails",))).content.decode()

    assert InvariantRun.objects.get().trigger == "person"
    assert "2 rows say otherwise" in page
    assert "generate_series" in page


def test_whoever_may_not_run_them_is_told(three: None, signed_in: SignIn) -> None:
    client = signed_in("deal_desk")

    assert client.post(reverse("admin:checks_run")).status_code == 403
    assert client.get(reverse("admin:checks_run")).status_code == 405
    assert not InvariantResult.objects.exists()


def test_every_declared_check_can_be_asked() -> None:
    """On an empty database nothing is wrong, and no query names a table that isn't there."""
    failing = [(o.invariant.code, o.error or o.sample) for o in services.check() if not o.passed]

    assert failing == []
