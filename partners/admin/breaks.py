"""The queue of breaks, and the totals of each reconciliation."""

from typing import Any

from django import forms
from django.contrib import admin

from o2c.console import RecordAdmin
from o2c.console.acts import Act
from o2c.console.format import label, money
from o2c.console.panels import Column, Fact, Panel
from partners.models import Break, MeteringRecord, ReconciliationRun
from partners.services.breaks import RESOLUTIONS


class ProposeForm(forms.Form):
    resolution = forms.ChoiceField(choices=list(RESOLUTIONS.items()))


def _proposable(obj: Any, user: Any) -> list[str]:
    return (
        [] if obj.state in ("open", "assigned", "waiting") else [f"It is {obj.get_state_display().lower()}."]
    )


@admin.register(Break)
class BreakAdmin(RecordAdmin):
    area = "Partners"
    icon = "difference"
    nav_position = 15
    list_display = [
        "number",
        "type",
        "leg",
        "agreement",
        "period",
        "value",
        "state",
        "owner",
        "escalates_at",
    ]
    list_select_related = ["agreement", "owner"]
    list_filter = ["state", "type", "leg"]
    search_fields = ["key", "agreement__number"]
    bulk_amount = "value"
    transition_options = {"wait": {"reason": "required"}, "resolve": {"reason": "required", "danger": True}}
    acts = [
        Act(
            "propose_resolution",
            "Propose a resolution",
            "partners.services.breaks.propose",
            duty="partners.break.work",
            form=ProposeForm,
            reason="required",
            unavailable=_proposable,
            description="A second person carries it out.",
        )
    ]

    exclude = ["owner_role"]  # the header says who has it
    fieldsets = [
        ("What it is about", {"fields": ["leg", "key", "channel", "agreement", "period"]}),
        ("How it was closed", {"fields": ["resolution", "proposed_by", "closed_by", "closed_at", "note"]}),
    ]

    def facts(self, obj: Any) -> list[Fact]:
        return [
            Fact("At stake", money(obj.value, obj.currency)),
            Fact("Expected", obj.expected),
            Fact("Found", obj.actual),
            Fact("First seen", obj.first_seen_at),
            Fact("Escalates", obj.escalates_at),
            Fact("Owner", obj.owner or label(obj.owner_role)),
        ]

    def panels(self, obj: Any) -> list[Panel]:
        columns = [Column(lambda row: label(row[0]), "What"), Column(lambda row: str(row[1]), "Value")]
        panels = [Panel("Evidence", list(obj.evidence.items()), columns, link_rows=False)]
        if record_id := obj.evidence.get("record_id"):
            panels.append(
                Panel(
                    "Usage hour",
                    MeteringRecord.objects.filter(pk=record_id),
                    ["hour", "used", "quantity", "carry_out"],
                )
            )
        return panels


@admin.register(ReconciliationRun)
class ReconciliationRunAdmin(RecordAdmin):
    area = "Partners"
    icon = "balance"
    nav_position = 50
    nav_title = "Reconciliations"
    list_display = [
        "leg",
        "channel",
        "as_of",
        "left_total",
        "right_total",
        "explained",
        "compared",
        "differing",
    ]
    list_select_related = ["channel"]
    list_filter = ["leg", "channel"]
