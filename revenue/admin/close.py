"""The close as a work surface: run, explain, sign, lock."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from o2c.audit.services.anchoring import anchor_of
from o2c.console import Act, Fact, ListAct, RecordAdmin
from o2c.console import format as fmt
from o2c.console.object_page import find
from o2c.controls.approvals.admin.asking import ask_act, needs
from revenue.admin.recognition import PeriodForm
from revenue.models import CloseRun
from revenue.selectors import checklist
from revenue.tieouts.registry import by_code

LISTED = 500


def _explain_form(run: CloseRun) -> type[forms.Form]:
    """The items that differ and nobody has explained."""
    titles = {item.query.code: item.query.title for item in checklist.items(run)}
    choices = [
        (
            answer.code,
            f"{titles[answer.code]}: {answer.differing} rows, {fmt.plain_number(answer.difference)}",
        )
        for answer in checklist.unanswered(run)
    ]
    return type("ExplainForm", (forms.Form,), {"code": forms.ChoiceField(label="Item", choices=choices)})


def _only_open(run: CloseRun, user: Any) -> list[str]:
    return [] if run.state == CloseRun.State.OPEN else [f"The close is {run.get_state_display().lower()}."]


def _nothing_to_explain(run: CloseRun, user: Any) -> list[str]:
    if reasons := _only_open(run, user):
        return reasons
    return [] if checklist.unanswered(run) else ["Every item agrees or is explained."]


def _own_close(run: CloseRun, user: Any) -> list[str]:
    return ["Who prepared the close does not review it."] if run.prepared_by_id == user.pk else []


def _own_request(run: CloseRun, user: Any) -> list[str]:
    return ["Who asked for it does not grant it."] if run.reopening_asked_by_id == user.pk else []


def _when(moment: dt.datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else ""


def _anchored(run: CloseRun) -> list[Fact]:
    """The head of the sealed history when the month was locked, as it was signed: to be printed and kept."""
    anchor = anchor_of(f"revenue.closerun:{run.pk}") if run.digest else None
    if anchor is None:
        return []
    note = f"signed {anchor.signature[:16]}… with key {anchor.key[:16]}…"
    return [Fact("Sealed history", f"block {anchor.block_id} {anchor.body['hash']}", note=note)]


def _not_reopening(run: CloseRun, user: Any) -> list[str]:
    return [] if run.state == CloseRun.State.REOPENING else ["Ask to reopen it first."]


_books_left = needs("revenue.close.reopen", _not_reopening)


def _reopenable(run: CloseRun, user: Any) -> list[str]:
    return _own_request(run, user) or _books_left(run, user)


@admin.register(CloseRun)
class CloseRunAdmin(RecordAdmin):
    """Closes of periods, with their checklists."""

    area, icon, nav_position, nav_title = "Revenue", "lock_clock", 5, "Month close"
    object_template = "revenue/close.html"
    wide = True
    exclude = ["snapshot"]  # the checklist above is what it holds
    list_display = ["__str__", "state", "attempt", "prepared_by", "reviewed_by", "reviewed_at"]
    list_select_related = ["period__entity", "prepared_by", "reviewed_by"]
    list_filter = ["state", "period__entity"]
    search_fields = ["period__name"]
    transition_options = {
        "lock": {
            "unavailable": _own_close,
            "danger": True,
            "description": "Nothing posts to the period any more. The questions are asked once more first.",
        },
        "send_back": {"reason": "required"},
        "ask_reopen": {"reason": "required", "danger": True},
        "reopen": {"unavailable": _reopenable, "danger": True},
    }
    list_acts = [
        ListAct("start", "Start a close", "revenue.services.close.start", duty="revenue.close.run",
                form=PeriodForm, icon="lock_clock",
                description="Months are closed in their order. Recognise the month before.")
    ]  # fmt: skip
    acts = [
        ask_act("revenue.close.reopen", "revenue.services.close.ask_approval", _not_reopening),
        Act("tie_outs", "Run the tie-outs", "revenue.services.close.run_tie_outs", duty="revenue.close.run",
            unavailable=_only_open, reason="none", icon="rule",
            description="Asks every question of the checklist against the books as they are now."),
        Act("explain", "Explain a difference", "revenue.services.close.explain", duty="revenue.close.explain",
            form=_explain_form, unavailable=_nothing_to_explain, reason="required", icon="edit_note",
            description="The reason holds for these figures: others will need another."),
    ]  # fmt: skip
    empty_text = "No month was closed yet. Recognise a month, then start its close."

    def get_urls(self) -> list[URLPattern]:
        name = "revenue_closerun_item"
        view = self.admin_site.admin_view(self.item_view)
        return [path("<path:object_id>/item/<str:code>/", view, name=name), *super().get_urls()]

    def facts(self, run: CloseRun) -> list[Fact]:
        return [
            Fact("Period", run.period),
            Fact("Entity", run.period.entity),
            Fact("Prepared by", run.prepared_by, note=_when(run.prepared_at)),
            Fact("Reviewed by", run.reviewed_by, note=_when(run.reviewed_at)),
            Fact("Snapshot", run.digest[:16] or None),
            *_anchored(run),
        ]

    def notices(self, run: CloseRun) -> list[tuple[str, str]]:
        if run.state == CloseRun.State.REOPENED:
            return [
                ("bad", f"Reopened by {run.reopened_by}: {run.reopening_reason}. Its signatures are void.")
            ]
        if run.state == CloseRun.State.REOPENING:
            return [("warn", f"{run.reopening_asked_by} asks to reopen: {run.reopening_reason}")]
        if run.state == CloseRun.State.LOCKED:
            return [("good", "Locked: nothing posts to this period any more.")]
        if not run.attempt:
            return [("plain", "The tie-outs have not been run yet.")]
        left = len(checklist.unanswered(run))
        if left:
            return [("warn", f"{left} items differ and nobody has explained them.")]
        return [("good", "Every item agrees or is explained.")]

    def object_context(self, request: HttpRequest, run: CloseRun) -> dict[str, Any]:
        found = checklist.items(run)
        return {
            "checklist": found,
            "settled": sum(1 for item in found if item.standing in ("agrees", "explained")),
        }

    def item_view(self, request: HttpRequest, object_id: str, code: str) -> HttpResponse:
        """The rows behind one item of the checklist, live, those that differ first."""
        run = find(self, request, object_id)
        try:
            query = by_code(code)
        except LookupError:
            raise Http404(f"The checklist has no item {code!r}.") from None
        standing = next(item for item in checklist.items(run) if item.query.code == code)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{query.title}, {run.period}",
            "opts": self.model._meta,
            "record": run,
            "item": standing,
            "rows": checklist.rows(run.period, query, LISTED),
            "limit": LISTED,
            "past": run.tie_outs.filter(code=code).order_by("-attempt"),
            "explanations": run.explanations.filter(code=code).select_related("explained_by"),
        }
        return TemplateResponse(request, "revenue/close_item.html", context)
