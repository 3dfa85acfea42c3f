"""Emergency access: ask, open, end, review; and everything that was done under it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django import forms
from django.contrib import admin

from o2c import clock
from o2c.access import registry
from o2c.console import Fact, ListAct, Panel, RecordAdmin
from o2c.controls.breakglass import services
from o2c.controls.breakglass.models import Session
from o2c.controls.breakglass.selectors import written


class RequestForm(forms.Form):
    ticket = forms.CharField(max_length=60, help_text="Number of the incident.")
    hours = forms.IntegerField(min_value=1, max_value=4, initial=1)
    duties = forms.MultipleChoiceField(
        choices=lambda: [(duty, f"{duty}: {registry.describe(duty)}") for duty in services.lendable()],
        widget=forms.SelectMultiple(attrs={"size": 12}),
        help_text="Only what is needed. Decisions, policies, roles and reading are never lent.",
    )


class ReviewForm(forms.Form):
    finding = forms.ChoiceField(choices=Session.Finding.choices)


def _own(row: Session, user: Any) -> list[str]:
    return ["You asked for it: somebody else decides."] if row.user_id == user.pk else []


def _not_third(row: Session, user: Any) -> list[str]:
    if row.authorised_by_id == user.pk:
        return ["You opened it: a third person reviews."]
    if row.state == Session.State.OPEN and row.ends_at is not None and row.ends_at > clock.now():
        return [f"It is still open, until {row.ends_at:%H:%M} UTC: reviewed once it has ended."]
    return _own(row, user)


def _not_own(row: Session, user: Any) -> list[str]:
    return [] if user.pk == row.user_id else ["Whoever uses it ends it."]


@admin.register(Session)
class SessionAdmin(RecordAdmin):
    """Duties that somebody was lent for hours, and what they did with them."""

    area, icon, nav_position, nav_title = "Segregation of duties", "emergency", 50, "Emergency access"
    list_display = ["number", "user", "ticket", "state", "opened_at", "ends_at", "review_due_at", "finding"]
    list_select_related = ["user"]
    list_filter = ["state", "finding", "opened_at"]
    search_fields = ["ticket", "user__username", "reason"]
    fieldsets = [("Asked for", {"fields": ["duties", "hours", "ticket", "reason"]})]
    empty_text = "Nobody ever needed it."
    wide = True
    list_acts = [
        ListAct(
            "request", "Ask for emergency access", "o2c.controls.breakglass.services.request",
            duty="breakglass.session.request", form=RequestForm, reason="required", icon="emergency",
            description="Somebody else opens it, a third person reviews it. No month closes before.",
        )
    ]  # fmt: skip
    transition_options = {
        "authorise": {"unavailable": _own, "reason": "required"},
        "refuse": {"unavailable": _own, "reason": "required", "danger": True},
        "end": {"unavailable": _not_own, "reason": "optional"},
        "review": {"unavailable": _not_third, "form": ReviewForm, "reason": "required"},
    }

    def facts(self, row: Session) -> list[Fact]:
        return [
            Fact("Used by", row.user, note=row.reason),
            Fact("Opened by", row.authorised_by),
            Fact("From", row.opened_at),
            Fact("Until", row.ends_at),
            Fact("Review due", row.review_due_at),
            Fact("Reviewed by", row.reviewed_by, note=row.review_note),
        ]

    def notices(self, row: Session) -> list[tuple[str, str]]:
        if row.opened_at is not None and row.state != Session.State.REVIEWED:
            return [("warn", "No period is closed before this is reviewed.")]
        return []

    def panels(self, row: Session) -> list[Panel]:
        broken = [asdict(one) for one in services.lets_in(row)]
        lent = [{"duty": duty, "what": registry.describe(duty)} for duty in row.duties]
        done = [
            {
                "what": one.what,
                "made": one.made,
                "changed": one.changed,
                "deleted": one.deleted,
                "ids": one.ids,
            }
            for one in written(row)
        ]
        return [
            Panel("Lent", lent, ["duty", "what"], link_rows=False),
            Panel(
                "Rules that keep it from being opened without an exception",
                broken,
                ["rule", "first", "second"],
                link_rows=False,
                empty="None.",
            ),
            Panel(
                "Used",
                row.uses.order_by("pk"),
                ["recorded_at", "duty", "record"],
                link_rows=False,
                empty="No lent duty was used.",
            ),
            Panel(
                "Written in these transactions",
                done,
                ["what", "made", "changed", "deleted", "ids"],
                link_rows=False,
                empty="Nothing.",
            ),
        ]
