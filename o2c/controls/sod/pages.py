"""What a grant would allow, before anybody gives it; and who did both sides of a rule. Both only look."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib import admin as django_admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET

from o2c import clock
from o2c.access import registry
from o2c.access.models import Role, User
from o2c.console import Column, Panel
from o2c.console.keys import key_link
from o2c.console.permissions import holds
from o2c.controls.sod import actual, selectors
from o2c.controls.sod.functions import FUNCTIONS
from o2c.errors import DomainError

READ = "sod.read"
A_QUARTER = dt.timedelta(days=92)
SHOWN = 500


def _context(request: HttpRequest, title: str) -> dict[str, Any]:
    if not holds(request.user, READ):
        raise PermissionDenied(f"Seeing this page needs the duty {READ}.")
    return {**django_admin.site.each_context(request), "title": title, "is_fullwidth": "1", "panels": []}


@require_GET
def what_if(request: HttpRequest) -> HttpResponse:
    """?user=…&role=…: the duties that the roles would add, and the rules that they would break."""
    context = _context(request, "What would a grant allow?")
    username, chosen = request.GET.get("user", "").strip(), request.GET.getlist("role")
    context |= {
        "username": username,
        "chosen": chosen,
        "roles": Role.objects.order_by("name"),
        "usernames": User.objects.filter(is_active=True)
        .order_by("username")
        .values_list("username", flat=True),
    }
    if username and chosen:
        try:
            context |= _simulated(username, chosen)
        except DomainError as error:
            context["notice"] = ("bad", f"{error.message}. {error.remedy}".strip())
    return TemplateResponse(request, "sod/simulate.html", context)


def _simulated(username: str, chosen: list[str]) -> dict[str, Any]:
    result = selectors.simulate(username, chosen)
    broken = {row.rule for row in result.conflicts}
    notice = (
        ("bad", f"Refused: it would break {', '.join(sorted(broken))}.")
        if broken
        else ("good", "No rule stands against it.")
    )
    sides = [
        "rule",
        "title",
        "severity",
        Column(lambda row: f"{row.duty_a} ({row.role_a})", "Would hold"),
        Column(lambda row: f"{row.duty_b} ({row.role_b})", "Together with"),
    ]
    added = [{"duty": code, "what it allows": registry.describe(code)} for code in result.duties]
    panels = [
        Panel(
            "Rules that it would break", result.conflicts, sides, link_rows=False, empty="None.", limit=SHOWN
        ),
        Panel("Held against rules already", result.standing, sides, link_rows=False, empty="Nothing."),
        Panel(
            "Duties that it would add",
            added,
            ["duty", "what it allows"],
            link_rows=False,
            empty="None: they are all held already.",
            limit=SHOWN,
        ),
    ]
    return {"notice": notice, "panels": panels}


@require_GET
def did_both(request: HttpRequest) -> HttpResponse:
    """?since=…: both sides on one lineage with the records, both sides on any records, both sides held."""
    context = _context(request, "Who did both?")
    try:
        since = dt.date.fromisoformat(request.GET["since"])
    except (KeyError, ValueError):
        since = clock.today() - A_QUARTER
        if request.GET.get("since"):
            context["notice"] = ("bad", f"{request.GET['since']!r} is no date; shown since {since}.")
    moment = dt.datetime.combine(since, dt.time(), dt.UTC)
    found = actual.violations(moment)
    open_ = [row for row in found if not row.excepted]
    if "notice" not in context:
        context["notice"] = (
            ("bad", f"One person did both sides on one lineage without an exception: {len(open_)} times.")
            if open_
            else ("good", "Nobody did both sides on one lineage without an exception.")
        )
    context |= {"since": since, "panels": _did_panels(found, actual.habits(moment))}
    return TemplateResponse(request, "sod/actual.html", context)


def _did_panels(found: list[actual.Violation], habits: list[actual.Habit]) -> list[Panel]:
    held = selectors.conflicts(User.objects.values_list("pk", flat=True))
    return [
        Panel(
            "Both sides on one lineage",
            found,
            [
                "rule",
                Column("username", "Who"),
                Column(lambda row: FUNCTIONS[row.first], "First"),
                Column(lambda row: key_link(row.first_record), "On"),
                Column(lambda row: FUNCTIONS[row.second], "Then"),
                Column(lambda row: key_link(row.second_record), "On"),
                Column(lambda row: "yes" if row.excepted else "no", "Under an exception"),
            ],
            link_rows=False,
            empty="Nobody.",
            limit=SHOWN,
        ),
        Panel(
            "Both sides, on different records",
            habits,
            ["rule", Column("username", "Who"), Column("first", "First", numeric=True),
             Column("second", "Second", numeric=True)],
            link_rows=False,
            empty="Nobody.",
            limit=SHOWN,
            note="Permitted where the rule is about one record; else under an exception, or before the rule.",
        ),
        Panel(
            "Held together now",
            held,
            ["rule", Column("username", "Who"), "duty_a", "role_a", "duty_b", "role_b"],
            link_rows=False,
            empty="Nothing.",
            limit=SHOWN,
        ),
    ]  # fmt: skip
