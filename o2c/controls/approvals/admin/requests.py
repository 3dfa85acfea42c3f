"""A request as its approver sees it: what changes, what it books, which clause asks, who may decide."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet

from o2c.access import registry as access
from o2c.access.models import User
from o2c.actor import Actor
from o2c.console import Act, Column, Fact, Panel, RecordAdmin
from o2c.console import format as fmt
from o2c.console.permissions import duties, reading_duty
from o2c.console.registry import TimelineEntry
from o2c.controls.approvals import registry
from o2c.controls.approvals.admin import words
from o2c.controls.approvals.admin.about import about, link
from o2c.controls.approvals.admin.delegations import DelegateForm
from o2c.controls.approvals.admin.words import lines, table
from o2c.controls.approvals.domain.canonical import differences
from o2c.controls.approvals.models import Decision, Delegation, Request, Round, Step
from o2c.controls.approvals.selectors.facts import facts_of
from o2c.controls.approvals.selectors.inbox import inbox, precedents
from o2c.controls.approvals.services import deciding, delegations
from o2c.errors import DomainError

AREA = "Approvals"
SERVICES = "o2c.controls.approvals.services"


def digest_form(request: Request) -> type[forms.Form]:
    """The decision carries what was looked at: of another round it is refused."""
    field = forms.CharField(initial=request.digest, widget=forms.HiddenInput())
    return type("Decision", (forms.Form,), {"digest": field})


def delegate(
    pk: int, *, delegate: User, valid_from: dt.datetime, valid_to: dt.datetime, actor: Actor, reason: str = ""
) -> Delegation:
    """Ask a colleague to decide for oneself: this request and whatever else waits in that time."""
    return delegations.give(
        delegate=delegate, valid_from=valid_from, valid_to=valid_to, actor=actor, reason=reason
    )


def _not_mine(request: Request, user: Any) -> list[str]:
    if request.state != Request.State.OPEN:
        return [f"It is {request.get_state_display().lower()}."]
    if getattr(request, "waits_for_me", False) or inbox(user).filter(pk=request.pk).exists():
        return []
    if user.pk in request.excluded:
        return ["You asked for it, or wrote what is to be approved."]
    step = waiting(request)
    if step is None:
        return ["No step waits."]
    last = request.rounds.filter(number=request.round).first()
    for one in last.exclusions if last else ():
        if one["user"] == user.pk and step.code in one.get("steps", ()):
            return [f"Not yours to decide: {one['why']}."]
    return [f"Step '{step.title}' waits for somebody who may: {access.describe(step.duty).lower()}."]


def _not_approved(request: Request, user: Any) -> list[str]:
    return [] if request.state == Request.State.APPROVED else ["The last approval does it by itself."]


def _not_asker(request: Request, user: Any) -> list[str]:
    return [] if request.requested_by_id == user.pk else ["Whoever asked answers."]


def waiting(request: Request) -> Step | None:
    steps = request.steps.filter(round=request.round, done_at__isnull=True, opened_at__isnull=False)
    return steps.order_by("position").first()


def what_is_decided(request: Request, user: Any) -> list[Panel]:
    """For a decision that is made without opening the page: the same values, bookings and clauses."""
    act = registry.act(request.act)
    rounds = list(Round.objects.filter(request=request).order_by("number"))
    return [*_values(request, act, rounds), _effects(request), clauses_of(request, act, rounds)]


@admin.register(Request)
class RequestAdmin(RecordAdmin):
    """Everything that somebody asked a second person about."""

    area, icon, nav_position, nav_title = AREA, "approval", 10, "Requests"
    narrowed = True
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
            form=digest_form, unavailable=_not_mine, reason="required", icon="check", key="a",
            done="Approved. Below stands whom it waits for now, or that it was done.",
            description="The last approval does what was asked, exactly as shown here.",
        ),
        Act(
            "reject", "Reject", f"{SERVICES}.deciding.reject", duty="approvals.request.decide",
            form=digest_form, unavailable=_not_mine, reason="required", danger=True, icon="close", key="r",
            description="One no ends the request. It stays on record with your reason.",
        ),
        Act(
            "ask", "Ask a question", f"{SERVICES}.deciding.ask", duty="approvals.request.decide",
            unavailable=_not_mine, reason="required", primary=False, icon="help", follow=False, key="q",
            description="Whoever asked for it answers here. The clock goes on.",
        ),
        Act(
            "delegate", "Delegate", "o2c.controls.approvals.admin.requests.delegate",
            duty="approvals.delegation.give", form=DelegateForm, unavailable=_not_mine, reason="required",
            primary=False, icon="swap_horiz", follow=False, key="d",
            description="A colleague decides for you, this and what else waits, once they accept. Both names"
            " stand on each decision.",
        ),
        Act(
            "answer", "Answer", f"{SERVICES}.deciding.answer", duty="approvals.request.submit",
            unavailable=_not_asker, reason="required", primary=False, icon="reply", follow=False,
        ),
        Act(
            "approve_alike", "Approve", f"{SERVICES}.deciding.approve", duty="approvals.request.decide",
            unavailable=_not_mine, bulk=True, primary=False, on_page=False, preview=what_is_decided,
            bulk_service=f"{SERVICES}.deciding.approve_many", reason="required", icon="check",
            description="As it is shown here. Many at once: of one kind and small; each keeps evidence of its"
            " own, with the one reason that you give for all of them.",
        ),
    ]  # fmt: skip

    @admin.display(description="Asks to")
    def what(self, obj: Request) -> str:
        return registry.act(obj.act).label

    def facts(self, obj: Request) -> list[Fact]:
        step = waiting(obj)
        until = step.expire_at if step else obj.lapses_at
        return [
            Fact("Asks to", registry.act(obj.act).label),
            link(obj),
            Fact("Asked by", obj.requested_by, note=obj.reason),
            Fact("At stake", fmt.money(obj.amount, obj.currency) if obj.amount is not None else None),
            Fact("Waits for", step.title if step else None, note=access.describe(step.duty) if step else ""),
            Fact("Until", until, note="then it is a no" if until else ""),
            Fact("Round", obj.round),
        ]

    def notices(self, obj: Request) -> list[tuple[str, str]]:
        found = [("bad" if obj.state != "expired" else "warn", obj.problem)] if obj.problem else []
        act = registry.act(obj.act)
        if obj.state in ("open", "approved") and not act.proposes:
            now = facts_of(act, [obj.subject_id]).get(obj.subject_id)
            if now is None or now.digest != obj.facts_digest:
                moved = differences(obj.facts, now.values if now else {})
                paths = ", ".join(words.named(act, one["path"]) for one in moved)
                found.append(("bad", f"Changed since it was asked: {paths}. 'Ask again' begins a new round."))
        return found

    def panels(self, obj: Request) -> list[Panel]:
        act = registry.act(obj.act)
        rounds = list(Round.objects.filter(request=obj).order_by("number"))
        return [
            about(obj),
            *_values(obj, act, rounds),
            _effects(obj),
            clauses_of(obj, act, rounds),
            *people_of(obj, rounds),
            Panel(
                "Decisions",
                obj.decisions.select_related("decided_by", "delegator", "step").order_by("pk"),
                [
                    Column("round", "Round"),
                    Column("step.title", "Step"),
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

    def timeline_sources(self, obj: Request) -> list[TimelineEntry]:
        said = obj.decisions.select_related("decided_by", "delegator", "step").order_by("pk")
        late = [
            TimelineEntry(
                at=step.escalated_at,
                kind="approval",
                title=f"Escalated: {step.title}",
                reason=f"Late; told {', '.join(one['name'] for one in step.escalated_to) or 'nobody'}",
            )
            for step in obj.steps.order_by("round", "position")
            if step.escalated_at
        ]
        return late + [
            TimelineEntry(
                at=one.recorded_at,
                kind="approval",
                title=f"{one.get_verdict_display()}{f': {one.step.title}' if one.step else ''}",
                actor=_who(one),
                reason=one.comment,
            )
            for one in said
        ]

    def seen(self, obj: Request) -> str:
        """A decision is about the values of a round, not only about a state."""
        return f"{obj.state} {obj.digest}"

    def bulk_refusal(self, act: Act, rows: list[Request]) -> str:
        if act.name != "approve_alike":
            return ""
        try:
            deciding.batch_problem(rows)
        except DomainError as error:
            return str(error)
        return ""

    def get_queryset(self, request: Any) -> QuerySet[Request]:
        """Requests about records that the person may see, that they asked for, that wait for them, or that
        were escalated to them.
        """
        rows: QuerySet[Request] = super().get_queryset(request).select_related("requested_by", "policy")
        return rows.filter(visible(request.user))


def visible(user: Any) -> Q:
    """Which requests this person may look at."""
    held = duties(user)
    readable = [
        act.code for act in registry.acts() if reading_duty(act.model.partition(".")[0].lower()) in held
    ]
    told = Step.objects.filter(escalated_to__contains=[{"user": user.pk}]).values("request")
    mine = Q(requested_by=user.pk) | Q(pk__in=inbox(user).values("pk")) | Q(pk__in=told)
    return Q(act__in=readable) | mine


def _who(decision: Decision) -> str:
    delegator = f" for {decision.delegator}" if decision.delegator_id else ""
    return f"{decision.decided_by}{delegator}"


def _values(obj: Request, act: registry.Act, rounds: list[Round]) -> list[Panel]:
    """What is asked for; with what it was in the round before, or is now where the act changes a row.

    Facts that are rows of values (the lines of a quote) are tables of their own.
    """
    moved = {one["path"]: one["before"] for one in obj.effects.get("changes", ())}
    if len(rounds) > 1:
        moved |= {one["path"]: one["before"] for one in rounds[-1].changes}
    order = {path: place for place, path in enumerate(act.labels)}
    facts = sorted(obj.facts.items(), key=lambda pair: order.get(pair[0], len(order)))
    tables = [path for path, value in facts if words.tabular(value)]
    rows = [
        (
            words.named(act, path),
            _shown(obj, act, path, moved[path]) if path in moved else "as asked",
            _shown(obj, act, path, value),
        )
        for path, value in facts
        if path not in tables and path != act.currency and (path in moved or value not in words.EMPTY)
    ]
    if moved:
        asked = table("What is asked", ["What", "Before", "Asked"], rows)
    else:
        asked = table("What is asked", ["What", "Asked"], [(what, value) for what, _, value in rows])
    found = [asked]
    for path in tables:
        found += [words.rows_of(words.named(act, path), obj.facts[path])]
        if words.tabular(moved.get(path)):
            found += [words.rows_of(f"{words.named(act, path)}, before", moved[path])]
    return found


def _shown(obj: Request, act: registry.Act, path: str, value: Any) -> Any:
    """A fact for reading; amounts with their currency, functional for what is at stake."""
    if value in words.EMPTY:
        return fmt.DASH
    if path == act.amount:
        return fmt.money(Decimal(str(value)), obj.currency)
    if words.is_amount(value):
        return fmt.money(Decimal(value), str(obj.facts.get("currency") or obj.currency))
    return words.said(value)


def _effects(obj: Request) -> Panel:
    rows = [
        (
            f"{j['account']} {j['name']}",
            j["entity"],
            _side(j["debit"], j["currency"]),
            _side(j["credit"], j["currency"]),
        )
        for j in obj.effects.get("journals", [])
    ]
    return table(
        "What it would book", ["Account", "Entity", "Debit", "Credit"], rows,
        empty="It books nothing by itself.", numeric=("Debit", "Credit"),
    )  # fmt: skip


def _side(amount: str, currency: str) -> Any:
    return fmt.money(Decimal(amount), currency) if Decimal(amount) else fmt.DASH


def clauses_of(obj: Request, act: registry.Act, rounds: list[Round]) -> Panel:
    steps = obj.steps.filter(round=obj.round).order_by("position")
    rows = [
        (
            step.title,
            words.duty(step.duty),
            lines(words.because(act, step.because)),
            "Decided" if step.done_at else "Waits now" if step.opened_at else "Comes after",
        )
        for step in steps
    ]
    clause = rounds[-1].clause if rounds else ""
    return table(f"Why: {obj.policy}", ["Step", "Takes the duty to", "Because", "State"], rows, note=clause)


def people_of(obj: Request, rounds: list[Round]) -> list[Panel]:
    if not rounds:
        return []
    last = rounds[-1]
    titles = dict(obj.steps.filter(round=last.number).values_list("code", "title"))
    may = [
        (titles.get(code, code), lines(people) if people else fmt.DASH)
        for code, people in last.eligible.items()
    ]
    barred = [(one["name"], one["why"]) for one in last.exclusions]
    return [
        table("Who may decide", ["Step", "People"], may),
        table(
            "Who may not, and why", ["Person", "Because"], barred,
            empty="Nobody who holds one of the duties is excluded.",
        ),
    ]  # fmt: skip


def _history(obj: Request, act: registry.Act, rounds: list[Round]) -> Panel:
    rows = [
        (
            one.number,
            words.named(act, change["path"]),
            _shown(obj, act, change["path"], change["before"]),
            _shown(obj, act, change["path"], change["after"]),
        )
        for one in rounds
        for change in one.changes
    ]
    return table("Changed between rounds", ["Round", "What", "Before", "After"], rows, empty="Nothing.")
