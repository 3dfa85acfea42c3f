"""Policies: what they say, what the lint says of them, whom they would ask, what they would have changed."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from django import forms
from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

from o2c import clock
from o2c.actor import Actor
from o2c.console import Act, Fact, ListAct, Panel, RecordAdmin
from o2c.console import format as fmt
from o2c.controls import approvals
from o2c.controls.approvals import registry
from o2c.controls.approvals.admin import words
from o2c.controls.approvals.admin.asking import WHO, who_would_decide
from o2c.controls.approvals.admin.requests import AREA
from o2c.controls.approvals.admin.words import table
from o2c.controls.approvals.domain import policy as rules
from o2c.controls.approvals.domain.backtest import Backtest, backtest, said
from o2c.controls.approvals.models import Policy, Request
from o2c.controls.approvals.selectors.happened import happened
from o2c.controls.approvals.services import policies

SERVICES = "o2c.controls.approvals.services"
YEAR = dt.timedelta(days=366)
LATEST = 1000  # of each kind that a page looks at


class PolicyJson(forms.JSONField):
    """The policy as JSON; exact numbers are text."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.Textarea(attrs={"rows": 30, "class": "font-mono"}))
        super().__init__(**kwargs)


def content_form(row: Policy) -> type[forms.Form]:
    shown = json.dumps(row.content, indent=2, ensure_ascii=False)
    field = forms.CharField(
        initial=shown, label="Policy", widget=forms.Textarea(attrs={"rows": 30, "class": "font-mono w-full"})
    )
    begins = forms.DateTimeField(
        initial=row.valid_from if row.state == Policy.State.DRAFT else None, required=False,
        label="In force from", help_text="UTC. Empty: as soon as it is put in force.",
    )  # fmt: skip
    return type("Content", (forms.Form,), {"content": field, "valid_from": begins})


def draft_next(
    pk: int, *, content: str, valid_from: dt.datetime | None = None, actor: Actor, reason: str = ""
) -> Policy:
    """The next version, beginning from this one."""
    row = Policy.objects.get(pk=pk)
    return policies.draft(
        act=row.act, content=_parsed(content), valid_from=valid_from, note=reason, actor=actor, reason=reason
    )


def change(
    pk: int, *, content: str, valid_from: dt.datetime | None = None, actor: Actor, reason: str = ""
) -> Policy:
    return policies.change(pk, content=_parsed(content), valid_from=valid_from, actor=actor, reason=reason)


def ask(pk: int, *, actor: Actor, reason: str = "") -> Request:
    return approvals.submit("approvals.policy.activate", pk, actor=actor, reason=reason)


def _parsed(text: str) -> dict[str, Any]:
    from o2c.errors import InvalidInput

    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"This is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise InvalidInput("A policy is a JSON object")
    return found


def _draft_only(row: Policy, user: Any) -> list[str]:
    return [] if row.state == Policy.State.DRAFT else ["Only a draft is changed."]


@admin.register(Policy)
class PolicyAdmin(RecordAdmin):
    """What each act needs, and since when."""

    area, icon, nav_position = AREA, "gavel", 20
    list_display = ["title", "governs", "version", "state", "drafted_by", "activated_by", "valid_from"]
    list_select_related = ["drafted_by", "activated_by"]
    search_fields = ["title", "act"]
    find_fields = ["*title", "act"]
    list_filter = ["state", "act"]
    fieldsets = [("Version", {"fields": ["note", "as_data"]})]
    exclude = ["content"]
    empty_text = "Policies ship with the product; migrate puts them in force."
    wide = True
    transition_options = {
        "activate": {
            "primary": False,
            "description": "By a request: 'Ask for approval'. This button does it where nobody needs asking.",
        }
    }
    acts = [
        Act(
            "ask_activate", "Ask to put in force", "o2c.controls.approvals.admin.policies.ask",
            duty="approvals.policy.draft", unavailable=_draft_only, reason="required", icon="approval",
            preview=who_would_decide("approvals.policy.activate"), look=WHO,
        ),
        Act(
            "change", "Change", "o2c.controls.approvals.admin.policies.change",
            duty="approvals.policy.draft", form=content_form, unavailable=_draft_only, icon="edit",
        ),
        Act(
            "next", "Draft next version", "o2c.controls.approvals.admin.policies.draft_next",
            duty="approvals.policy.draft", form=content_form, reason="required", primary=False, icon="add",
        ),
    ]  # fmt: skip
    list_acts: list[ListAct] = []

    @admin.display(description="Governs", ordering="act")
    def governs(self, obj: Policy) -> str:
        return registry.act(obj.act).label

    @admin.display(description="As data")
    def as_data(self, obj: Policy) -> SafeString:
        """The content as 'Change' takes it."""
        shown = json.dumps(obj.content, indent=2, ensure_ascii=False)
        return format_html("<details><summary>Show</summary><pre>{}</pre></details>", shown)

    def facts(self, obj: Policy) -> list[Fact]:
        shipped = None if obj.drafted_by else "Ships with the product"
        return [
            Fact("Governs", registry.act(obj.act).label),
            Fact("Version", obj.version),
            Fact("Drafted by", obj.drafted_by or shipped),
            Fact("Applies from", obj.valid_from or obj.activated_at),
            Fact(
                "Put in force by", obj.activated_by or (None if obj.drafted_by else "Ships with the product")
            ),
            Fact("Clause", rules.parse(obj.content).clause),
        ]

    def notices(self, obj: Policy) -> list[tuple[str, str]]:
        found = [("bad" if p.blocks else "warn", p.text) for p in policies.problems(obj)]
        if obj.waits:
            found.append(
                ("warn", f"It applies from {obj.valid_from:%Y-%m-%d %H:%M} UTC; until then the one before.")
            )
        return found

    def panels(self, obj: Policy) -> list[Panel]:
        act, policy = registry.act(obj.act), rules.parse(obj.content)
        found = backtest(policy, happened(act, since=clock.now() - YEAR, latest=LATEST))
        return [
            table("Whom it asks", ["When", "Who"], _whom(act, policy)),
            _steps(act, policy),
            _backtest(act, policy, found),
            _rerouted(policy, found),
            Panel(
                "Versions",
                Policy.objects.filter(act=obj.act).select_related("drafted_by", "activated_by"),
                ["title", "version", "state", "drafted_by", "activated_by", "activated_at", "valid_from"],
            ),
        ]


def _whom(act: registry.Act, policy: rules.Policy) -> list[tuple[str, str]]:
    """Each band and each rule in words, with the steps that it asks for."""
    titles = {step.code: step.title for step in policy.steps}
    named, below = [], ""
    for level in policy.levels:
        limit = f"up to {level.up_to:,}" if level.up_to is not None else f"above {below}"
        named.append((f"{words.named(act, policy.band_path)} {limit}", level.steps))
        below = f"{level.up_to:,}" if level.up_to is not None else ""
    for rule in policy.rules:
        conditions = " and ".join(words.condition(act, one) for one in rule.when)
        named.append((f"{rule.because} ({conditions})", rule.steps))
    return [
        (what, " and ".join(titles.get(code, code) for code in codes) or "nobody") for what, codes in named
    ]


def _steps(act: registry.Act, policy: rules.Policy) -> Panel:
    rows = [
        (
            step.title,
            words.duty(step.duty),
            step.approvers,
            words.watched(act, step),
            f"{step.remind_hours} / {step.escalate_hours} / {step.expire_hours}",
            words.duty(step.escalate_to),
        )
        for step in policy.steps
    ]
    headings = [
        "Step",
        "Takes the duty to",
        "People",
        "Asked again when",
        "Reminds / escalates / expires, hours",
        "Escalates to whoever may",
    ]
    return table("Steps", headings, rows)


def _backtest(act: registry.Act, policy: rules.Policy, found: Backtest) -> Panel:
    """By band: what was done or asked for, and how much of it would be asked of others."""
    name = words.named(act, policy.band_path) if policy.levels else "Whatever it is about"
    rows = [
        (f"{name} {band.reach}" if policy.levels else name, band.cases, said(band.amounts), band.moved,
         said(band.moved_amounts))
        for band in found.bands
    ]  # fmt: skip
    return table(
        "Back-test: what it would have asked in the last twelve months",
        ["Band", "Done or asked for", "At stake", "Would be asked of others", "At stake in these"],
        rows,
        empty="Nothing of this kind was done or asked for.",
        note=f"The latest {LATEST:,} done and the latest {LATEST:,} requests; the command looks at all.",
        numeric=("Done or asked for", "At stake", "Would be asked of others", "At stake in these"),
    )


def _rerouted(policy: rules.Policy, found: Backtest) -> Panel:
    """Which of it would be asked of others."""
    titles = {step.code: step.title for step in policy.steps}

    def route(codes: tuple[str, ...] | None) -> str:
        if codes is None:
            return "it could not say"
        return " and ".join(titles.get(code, code) for code in codes) or "nobody"

    rows = [
        (
            one.case.label,
            fmt.money(one.case.amount, one.case.currency) if one.case.amount is not None else fmt.DASH,
            route(one.case.before),
            route(one.after),
        )
        for one in found.moved
    ]
    headings = ["What", "At stake", "Was asked of", "Would be asked of"]
    title = "What would go another way"
    return table(title, headings, rows, empty="None.", numeric=("At stake",))
