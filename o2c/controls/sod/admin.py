"""Pages of the rules, exceptions, access reviews and refused attempts."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path

from o2c.access import registry
from o2c.access.models import User
from o2c.actor import Actor
from o2c.console import Fact, ListAct, Panel, RecordAdmin
from o2c.controls.approvals.admin.asking import ask_act, needs
from o2c.controls.sod import pages
from o2c.controls.sod.functions import FUNCTIONS, WAITING
from o2c.controls.sod.models import Campaign, Denial, FunctionDuty, ReviewItem, SodException, SodRule
from o2c.controls.sod.rules import RULES
from o2c.controls.sod.selectors import conflicts, live_rules, waiting
from o2c.controls.sod.services import exceptions

AREA = "Segregation of duties"


class ExceptionForm(forms.Form):
    user = forms.ModelChoiceField(User.objects.filter(is_active=True).order_by("username"), label="For")
    rule = forms.ModelChoiceField(SodRule.objects.filter(at_grant=True))
    mitigation = forms.CharField(
        widget=forms.Textarea, help_text="What somebody else does meanwhile, and how often."
    )
    days = forms.IntegerField(min_value=1, max_value=90, initial=30)


def ask_exception(
    *, user: User, rule: SodRule, mitigation: str, days: int, actor: Actor, reason: str = ""
) -> SodException:
    return exceptions.request(user, rule.code, mitigation=mitigation, days=days, actor=actor, reason=reason)


class CampaignForm(forms.Form):
    name = forms.CharField(max_length=100, help_text="For example 2026 Q4.")
    days = forms.IntegerField(min_value=1, max_value=90, initial=14, label="Days until the deadline")


def _effect(row: SodException, _user: Any) -> list[Panel]:
    """What the person holds against the rules, and what the approver takes on."""
    held = conflicts([row.user_id])
    facts = [
        {"rule": row.rule.code, "risk": row.rule.risk, "why": row.reason, "meanwhile": row.mitigation},
    ]
    return [
        Panel("What is asked", facts, ["rule", "risk", "why", "meanwhile"]),
        Panel(
            "Held against rules already",
            [{"rule": c.rule, "first": c.duty_a, "second": c.duty_b} for c in held],
            ["rule", "first", "second"],
            empty="Nothing.",
        ),
    ]


def _decided(row: SodException, user: Any) -> list[str]:
    return [] if row.state == SodException.State.REQUESTED else ["It is decided already."]


@admin.register(SodRule)
class SodRuleAdmin(RecordAdmin):
    """The rules: what one person could do alone."""

    area, icon, nav_position, nav_title = AREA, "rule", 10, "Rules"
    list_display = ["code", "title", "severity", "kinds", "in_force", "exception_count"]
    list_filter = ["severity", "at_grant", "at_transaction"]
    search_fields = ["code", "title", "risk"]
    find_fields = ["code"]
    fieldsets = [("Rule", {"fields": ["code", "title", "risk", "severity", "mitigation", "version"]})]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("what-if/", view(pages.what_if), name="sod_what_if"),
            path("did-both/", view(pages.did_both), name="sod_did_both"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        approved = Count("exceptions", filter=Q(exceptions__state="approved"), distinct=True)
        return super().get_queryset(request).annotate(n_exceptions=approved)

    @admin.display(description="Refuses")
    def kinds(self, rule: SodRule) -> str:
        return rule.kinds

    @admin.display(description="In force", boolean=True)
    def in_force(self, rule: SodRule) -> bool:
        return rule.code in {live.code for live in live_rules()}

    @admin.display(description="Exceptions", ordering="n_exceptions")
    def exception_count(self, rule: Any) -> int:
        return int(rule.n_exceptions)

    def facts(self, rule: SodRule) -> list[Fact]:
        return [
            Fact("Severity", rule.get_severity_display()),
            Fact("Refuses at", rule.kinds),
            Fact("In force", "yes" if self.in_force(rule) else "waits", note=self._waits(rule)),
        ]

    @staticmethod
    def _waits(rule: SodRule) -> str:
        missing = waiting(next(one for one in RULES if one.code == rule.code))
        return "; ".join(f"{FUNCTIONS[code]}: {WAITING.get(code, 'no duty yet')}" for code in missing)

    def panels(self, rule: SodRule) -> list[Panel]:
        sides = list(rule.sides.all())
        duties = FunctionDuty.objects.filter(function__in=[side.function for side in sides])
        of: dict[str, list[str]] = {}
        for row in duties:
            of.setdefault(row.function, []).append(f"{row.duty}: {registry.describe(row.duty)}")
        listed = [
            {
                "side": side.get_side_display(),
                "function": side.name,
                "duties": "; ".join(of.get(side.function, [])) or "none in the product yet",
            }
            for side in sides
        ]
        return [
            Panel("What is kept apart", listed, ["side", "function", "duties"], limit=100),
            Panel(
                "Exceptions",
                rule.exceptions.select_related("user", "decided_by"),
                ["user", "state", "mitigation", "valid_from", "valid_to", "decided_by"],
                empty="None.",
            ),
        ]


@admin.register(SodException)
class SodExceptionAdmin(RecordAdmin):
    """Who may break which rule until when, and what is done meanwhile."""

    area, icon, nav_position, nav_title = AREA, "gavel", 20, "Exceptions"
    list_display = ["rule", "user", "state", "valid_from", "valid_to", "requested_by", "decided_by"]
    list_select_related = ["rule", "user", "requested_by", "decided_by"]
    list_filter = ["state"]
    search_fields = ["user__username", "rule__code"]
    list_acts = [
        ListAct(
            "ask",
            "Ask for an exception",
            "o2c.controls.sod.admin.ask_exception",
            duty="sod.exception.request",
            form=ExceptionForm,
            reason="required",
        )
    ]
    acts = [ask_act("sod.exception.approve", "o2c.controls.sod.services.exceptions.ask", _decided)]
    transition_options = {
        "approve": {
            "reason": "required",
            "preview": _effect,
            "unavailable": needs("sod.exception.approve", _decided),
        },
        "reject": {"reason": "required"},
        "end": {"reason": "required", "danger": True},
    }

    def facts(self, row: SodException) -> list[Fact]:
        return [Fact("For", row.user), Fact("Rule", row.rule.code), Fact("Until", row.valid_to)]


@admin.register(Campaign)
class CampaignAdmin(RecordAdmin):
    """Who holds what, decided line by line by somebody else."""

    area, icon, nav_position, nav_title = AREA, "fact_check", 30, "Access reviews"
    list_display = ["name", "state", "taken_at", "deadline", "undecided", "signed_by"]
    list_select_related = ["signed_by"]
    list_acts = [
        ListAct(
            "open",
            "Open a review",
            "o2c.controls.sod.services.reviews.open_campaign",
            duty="sod.review.open",
            form=CampaignForm,
        )
    ]
    transition_options = {"sign": {"reason": "required"}}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        pending = Count("items", filter=Q(items__state="pending"))
        return super().get_queryset(request).annotate(n_pending=pending)

    @admin.display(description="To decide", ordering="n_pending")
    def undecided(self, campaign: Any) -> int:
        return int(campaign.n_pending)

    def facts(self, campaign: Any) -> list[Fact]:
        return [
            Fact("To decide", campaign.n_pending),
            Fact("Deadline", campaign.deadline),
            Fact("Sealed", campaign.digest[:16]),
        ]

    def panels(self, campaign: Campaign) -> list[Panel]:
        columns = [
            "user",
            "role",
            "state",
            "last_done_at",
            "last_used_at",
            "conflicts",
            "exceptions",
            "decided_by",
            "note",
        ]
        lines = campaign.items.select_related("user", "decided_by")
        return [Panel("Grants", lines, columns, limit=500)]


@admin.register(ReviewItem)
class ReviewItemAdmin(RecordAdmin):
    """One grant to keep or to revoke."""

    area, icon, nav_position, nav_title = AREA, "person_check", 40, "Lines of reviews"
    list_display = [
        "user",
        "role",
        "campaign",
        "state",
        "last_done_at",
        "last_used_at",
        "conflicts",
        "decided_by",
    ]
    list_select_related = ["user", "campaign", "decided_by"]
    list_filter = ["state", "campaign"]
    search_fields = ["user__username", "role"]
    transition_options = {
        "keep": {"bulk": True, "reason": "optional"},
        "revoke": {"bulk": True, "reason": "required", "danger": True},
    }

    def facts(self, item: ReviewItem) -> list[Fact]:
        return [
            Fact("Person", item.user),
            Fact("Role", item.role, note=f"by {item.granted_by}"),
            Fact("Since", item.granted_at),
            Fact("Last done", item.last_done_at, note="anything that the role is for"),
            Fact("Last seen", item.last_used_at),
        ]

    def panels(self, item: ReviewItem) -> list[Panel]:
        duties = [{"duty": code, "what it allows": registry.describe(code)} for code in item.duties]
        return [Panel("Lets them", duties, ["duty", "what it allows"], limit=200)]


@admin.register(Denial)
class DenialAdmin(RecordAdmin):
    """What was tried and refused."""

    area, icon, nav_position, nav_title = AREA, "block", 50, "Refused attempts"
    list_display = ["at", "actor_label", "rule", "code", "record", "message"]
    list_filter = ["code", "rule"]
    search_fields = ["actor_label", "record", "message"]

    def facts(self, row: Denial) -> list[Fact]:
        return [Fact("Who", row.actor_label), Fact("When", row.at), Fact("Rule", row.rule or row.code)]
