"""A request as its approver sees it: what changes, what it books, which clause asks, who may decide."""

from __future__ import annotations

import re
from decimal import Decimal
from operator import itemgetter
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from o2c.console import Act, Column, Fact, Panel, RecordAdmin
from o2c.console import format as fmt
from o2c.console.permissions import duties, reading_duty
from o2c.controls.approvals import registry
from o2c.controls.approvals.domain.canonical import differences
from o2c.controls.approvals.models import Decision, Request, Round, Step
from o2c.controls.approvals.selectors.facts import facts_of
from o2c.controls.approvals.selectors.inbox import inbox, precedents

AREA = "Approvals"
SERVICES = "o2c.controls.approvals.services"
EMPTY: tuple[Any, ...] = (None, "", [], {})
SCALED = re.compile(r"(?<![\w.])(-?\d+)\.(\d{3,})(?![\w.])")  # a decimal at the scale of its column


def digest_form(request: Request) -> type[forms.Form]:
    """The decision carries what was looked at: of another round it is refused."""
    field = forms.CharField(initial=request.digest, widget=forms.HiddenInput())
    return type("Decision", (forms.Form,), {"digest": field})


def _not_mine(request: Request, user: Any) -> list[str]:
    if request.state != Request.State.OPEN:
        return [f"It is {request.get_state_display().lower()}."]
    if getattr(request, "waits_for_me", False) or inbox(user).filter(pk=request.pk).exists():
        return []
    if user.pk in request.excluded:
        return ["You asked for it, or wrote what is to be approved."]
    step = waiting(request)
    return [f"Step '{step.title}' takes the duty {step.duty}." if step else "No step waits."]


def _not_approved(request: Request, user: Any) -> list[str]:
    return [] if request.state == Request.State.APPROVED else ["The last approval does it by itself."]


def _not_asker(request: Request, user: Any) -> list[str]:
    return [] if request.requested_by_id == user.pk else ["Whoever asked answers."]


def waiting(request: Request) -> Step | None:
    steps = request.steps.filter(round=request.round, done_at__isnull=True, opened_at__isnull=False)
    return steps.order_by("position").first()


def lines(values: Any) -> SafeString:
    """Several texts under each other."""
    return format_html_join("", "<div>{}</div>", ((str(value),) for value in values))


def said(value: Any) -> SafeString | str:
    """A fact for reading: text as it is, several under each other."""
    if isinstance(value, dict):
        return format_html_join("", "<div>{}. {}</div>", sorted((str(k), _text(v)) for k, v in value.items()))
    if isinstance(value, list):
        return lines(_text(part) for part in value)
    return _text(value)


def _text(value: Any) -> str:
    """A value in words: parts that are empty are left out, zeros of the column's scale too."""
    if isinstance(value, dict):
        said = ((str(key).replace("_", " "), _text(part)) for key, part in value.items() if part not in EMPTY)
        return ", ".join(f"{key} {part}" for key, part in said)
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return SCALED.sub(_short, str(value))


def _short(number: re.Match[str]) -> str:
    """'7200.000' → '7200.00', '35.0000' → '35.00', '0.002500' → '0.0025'."""
    whole, digits = number[1], number[2].rstrip("0")
    return f"{whole}.{digits.ljust(2, '0')}"


def _because(act: registry.Act, texts: list[str]) -> list[str]:
    """Reasons of a band begin with the path of the fact: said by its label."""
    found = []
    for text in texts:
        path, _, rest = text.partition(" ")
        found.append(f"{act.labels[path]} {rest}" if path in act.labels else text)
    return found


def table(
    title: str, headings: list[str], rows: list[tuple[Any, ...]], empty: str = "Nothing here."
) -> Panel:
    """A panel of rows that are no records."""
    columns = [Column(itemgetter(n), heading or " ") for n, heading in enumerate(headings)]
    return Panel(title, rows, columns, empty=empty, link_rows=False, limit=100)


@admin.register(Request)
class RequestAdmin(RecordAdmin):
    """Everything that somebody asked a second person about."""

    area, icon, nav_position, nav_title = AREA, "approval", 10, "Requests"
    list_display = ["number", "subject_label", "what", "state", "amount", "requested_by", "submitted_at"]
    list_select_related = ["requested_by", "policy"]
    search_fields = ["subject_label", "reason"]
    find_fields = ["*subject_label"]
    list_filter = ["state", "act", "submitted_at"]
    fieldsets = [("Request", {"fields": ["reason", "submitted_at", "decided_at", "committed_at", "digest"]})]
    empty_text = "Nobody has asked for anything yet. 'Ask for approval' stands on the record itself."
    wide = True
    bulk_amount = "amount"
    transition_options = {
        "commit": {"reason": "optional", "unavailable": _not_approved},
        "recall": {"reason": "optional", "unavailable": _not_asker, "primary": False},
        "reopen": {"reason": "optional", "primary": False},
    }
    acts = [
        Act(
            "approve", "Approve", f"{SERVICES}.deciding.approve", duty="approvals.request.decide",
            form=digest_form, unavailable=_not_mine, icon="check",
            description="The last approval does what was asked, exactly as shown here.",
        ),
        Act(
            "reject", "Reject", f"{SERVICES}.deciding.reject", duty="approvals.request.decide",
            form=digest_form, unavailable=_not_mine, reason="required", danger=True, icon="close",
            description="One no ends the request. It stays on record with your reason.",
        ),
        Act(
            "ask", "Ask a question", f"{SERVICES}.deciding.ask", duty="approvals.request.decide",
            unavailable=_not_mine, reason="required", primary=False, icon="help", follow=False,
            description="Whoever asked for it answers here. The clock goes on.",
        ),
        Act(
            "answer", "Answer", f"{SERVICES}.deciding.answer", duty="approvals.request.submit",
            unavailable=_not_asker, reason="required", primary=False, icon="reply", follow=False,
        ),
        Act(
            "approve_alike", "Approve as it is", f"{SERVICES}.deciding.approve",
            duty="approvals.request.decide", unavailable=_not_mine, bulk=True, primary=False,
            bulk_service=f"{SERVICES}.deciding.approve_many", icon="done_all",
            description="Requests of one kind, small ones; each keeps evidence of its own.",
        ),
    ]  # fmt: skip

    @admin.display(description="Asks to")
    def what(self, obj: Request) -> str:
        return registry.act(obj.act).label

    def facts(self, obj: Request) -> list[Fact]:
        step = waiting(obj)
        return [
            Fact("Asks to", registry.act(obj.act).label),
            Fact("Asked by", obj.requested_by, note=obj.reason),
            Fact("At stake", fmt.money(obj.amount, obj.currency) if obj.amount is not None else fmt.DASH),
            Fact("Waits for", step.title if step else fmt.DASH, note=step.duty if step else ""),
            Fact("Until", step.expire_at if step else None, note="then it is a no" if step else ""),
            Fact("Round", obj.round),
        ]

    def notices(self, obj: Request) -> list[tuple[str, str]]:
        found = [("bad" if obj.state != "expired" else "warn", obj.problem)] if obj.problem else []
        act = registry.act(obj.act)
        if obj.state in ("open", "approved") and not act.proposes:
            now = facts_of(act, [obj.subject_id]).get(obj.subject_id)
            if now is None or now.digest != obj.facts_digest:
                moved = differences(obj.facts, now.values if now else {})
                paths = ", ".join(act.labels.get(one["path"], one["path"]) for one in moved)
                found.append(("bad", f"Changed since it was asked: {paths}. 'Ask again' begins a new round."))
        return found

    def panels(self, obj: Request) -> list[Panel]:
        act = registry.act(obj.act)
        rounds = list(Round.objects.filter(request=obj).order_by("number"))
        return [
            _values(obj, act, rounds),
            _effects(obj),
            _clauses(obj),
            _people(obj, rounds),
            Panel(
                "Decisions",
                obj.decisions.select_related("decided_by", "delegator").order_by("pk"),
                [
                    Column("round", "Round"),
                    Column("step_code", "Step"),
                    Column("verdict", "Said"),
                    Column(_who, "By"),
                    Column("comment", "Why"),
                    Column("recorded_at", "At"),
                ],
                empty="Nobody has decided yet.",
                link_rows=False,
            ),
            _history(obj, act, rounds),
            Panel(
                "Precedents",
                precedents(obj),
                ["subject_label", "amount", "state", "requested_by", "decided_at"],
                empty="Nothing of this kind was decided before.",
            ),
        ]

    def get_queryset(self, request: Any) -> QuerySet[Request]:
        """Requests about records that the person may see, that they asked for, or that wait for them."""
        rows: QuerySet[Request] = super().get_queryset(request).select_related("requested_by", "policy")
        return rows.filter(visible(request.user))


def visible(user: Any) -> Q:
    """Which requests this person may look at."""
    held = duties(user)
    readable = [
        act.code for act in registry.acts() if reading_duty(act.model.partition(".")[0].lower()) in held
    ]
    return Q(act__in=readable) | Q(requested_by=user.pk) | Q(pk__in=inbox(user).values("pk"))


def _who(decision: Decision) -> str:
    delegator = f" for {decision.delegator}" if decision.delegator_id else ""
    return f"{decision.decided_by}{delegator}"


def _values(obj: Request, act: registry.Act, rounds: list[Round]) -> Panel:
    """What is asked for; with what it was in the round before, or is now where the act changes a row."""
    moved = {one["path"]: one["before"] for one in obj.effects.get("changes", ())}
    if len(rounds) > 1:
        moved |= {one["path"]: one["before"] for one in rounds[-1].changes}
    rows = [
        (act.labels.get(path, path), said(moved[path]) if path in moved else fmt.DASH, said(value))
        for path, value in sorted(obj.facts.items(), key=lambda pair: list(act.labels).index(pair[0])
                                  if pair[0] in act.labels else 99)
    ]  # fmt: skip
    return table("What is asked", ["", "Before", "Asked"], rows)


def _effects(obj: Request) -> Panel:
    journals = obj.effects.get("journals", [])
    rows = [
        (
            f"{j['account']} {j['name']}",
            j["entity"],
            fmt.money(Decimal(j["debit"]), j["currency"]),
            fmt.money(Decimal(j["credit"]), j["currency"]),
        )
        for j in journals
    ]
    return table(
        "What it would book", ["Account", "Entity", "Debit", "Credit"], rows,
        empty="It books nothing by itself.",
    )  # fmt: skip


def _clauses(obj: Request) -> Panel:
    steps = obj.steps.filter(round=obj.round).order_by("position")
    rows = [
        (
            step.title,
            step.duty,
            lines(_because(registry.act(obj.act), step.because)),
            "decided" if step.done_at else "waits" if step.opened_at else "",
        )
        for step in steps
    ]
    return table(f"Why: {obj.policy}", ["Step", "Duty", "Because", ""], rows)


def _people(obj: Request, rounds: list[Round]) -> Panel:
    if not rounds:
        return table("Who may decide", ["", ""], [])
    last = rounds[-1]
    titles = dict(obj.steps.filter(round=last.number).values_list("code", "title"))
    rows: list[tuple[Any, ...]] = [
        (titles.get(code, code), lines(people) if people else fmt.DASH)
        for code, people in last.eligible.items()
    ]
    rows += [("May not", f"{one['name']}: {one['why']}") for one in last.exclusions]
    return table("Who may decide", ["", ""], rows)


def _history(obj: Request, act: registry.Act, rounds: list[Round]) -> Panel:
    rows = [
        (one.number, act.labels.get(change["path"], change["path"]), change["before"], change["after"])
        for one in rounds
        for change in one.changes
    ]
    return table("Changed between rounds", ["Round", "", "Before", "After"], rows, empty="Nothing.")
