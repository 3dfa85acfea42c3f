"""The page of the self-tests: the matrix of the last one, and all before it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString

from o2c.actor import Actor
from o2c.console import Column, Fact, ListAct, Panel, RecordAdmin
from o2c.console import format as fmt
from o2c.controls.selftest import services
from o2c.controls.selftest.models import SelftestRun


def start(*, actor: Actor, reason: str = "") -> SelftestRun:
    return services.run(actor=actor, reason=reason or "asked on the page")


@admin.register(SelftestRun)
class SelftestRunAdmin(RecordAdmin):
    """Every forbidden act tried through every door as everybody, and undone."""

    area, icon, nav_position, nav_title = (
        "Segregation of duties",
        "verified_user",
        60,
        "Self-test of controls",
    )
    list_display = ["started_at", "verdict", "tried", "through", "blocked", "unproven", "trigger", "seconds"]
    list_filter = ["trigger"]
    fieldsets = [("Self-test", {"fields": ["started_at", "trigger", "only", "seconds"]})]
    wide = True
    list_acts = [
        ListAct(
            "start", "Run the self-test", "o2c.controls.selftest.admin.start", duty=services.DUTY,
            reason="none", icon="play_arrow",
            description="Tries every forbidden act in a transaction that is undone. It takes up to a minute;"
            " nothing of it stays but the result.",
        )
    ]  # fmt: skip
    empty_text = "Runs every night; 'Run the self-test' does it now."

    @admin.display(description="Result")
    def verdict(self, run: SelftestRun) -> SafeString:
        return fmt.badge("active", "holds") if run.holds else fmt.badge("failed", "got through")

    def facts(self, run: SelftestRun) -> list[Fact]:
        return [
            Fact("Result", self.verdict(run)),
            Fact("Forbidden acts tried", run.tried),
            Fact("Got through", run.through),
            Fact("Permitted, but refused", run.blocked),
            Fact("Refused by another guard first", run.unproven),
        ]

    def panels(self, run: SelftestRun) -> list[Panel]:
        doors = sorted({row[1] for row in run.matrix})
        columns = [Column("rule", "Rule"), Column("who", "Tried as")]
        columns += [Column(_cell(door), door, numeric=True) for door in doors]
        found = [{"finding": said} for said in run.findings]
        untried = [{"what": said} for said in run.untried]
        return [
            Panel("What got through", found, [Column("finding", "Finding")], limit=100, link_rows=False,
                  empty="Nothing: every forbidden act was refused, and every permitted one was possible."),
            Panel("Rule by principal and door", _by_rule(run), columns, limit=2000, link_rows=False,
                  note="Acts refused; in red those that got through. Empty: no such door."),
            Panel("Not tried", untried, [Column("what", "Why")], limit=1000, link_rows=False,
                  note="The self-test has no record of its own for these.", empty="Nothing was left out."),
        ]  # fmt: skip


def _by_rule(run: SelftestRun) -> list[dict[str, Any]]:
    """A row for each rule and principal; what got through comes first."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for rule, door, principal, tried, through, _unproven in run.matrix:
        row = rows.setdefault((rule, principal), {"rule": rule, "who": principal})
        row[door] = (tried, through)
    return sorted(rows.values(), key=lambda row: (not _through(row), row["rule"], row["who"]))


def _through(row: dict[str, Any]) -> int:
    return sum(value[1] for value in row.values() if isinstance(value, tuple))


def _cell(door: str) -> Any:
    def shown(row: dict[str, Any]) -> Any:
        tried, through = row.get(door, (0, 0))
        if not tried:
            return None
        return fmt.badge("failed", f"{through} through") if through else tried

    return shown
