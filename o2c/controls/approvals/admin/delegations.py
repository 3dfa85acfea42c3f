"""Who decides for whom, and the days on which the clock stands still."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.contrib import admin

from o2c import clock
from o2c.access.models import User
from o2c.console import Act, Fact, ListAct, RecordAdmin
from o2c.controls.approvals.models import Delegation, Holiday

AREA = "Approvals"
SERVICES = "o2c.controls.approvals.services.delegations"


class DelegateForm(forms.Form):
    delegate = forms.ModelChoiceField(
        User.objects.filter(kind=User.Kind.HUMAN, is_active=True),
        help_text="May decide what you may, in this time, once they accept. They cannot pass it on.",
    )
    valid_from = forms.DateTimeField(initial=clock.now)
    valid_to = forms.DateTimeField(initial=lambda: clock.now() + dt.timedelta(days=7))


def _not_delegate(row: Delegation, user: Any) -> list[str]:
    reasons = [] if row.delegate_id == user.pk else ["Only whoever is asked accepts."]
    return reasons + (["It was answered already."] if row.accepted_at or row.revoked_at else [])


def _not_party(row: Delegation, user: Any) -> list[str]:
    reasons = [] if user.pk in (row.delegate_id, row.delegator_id) else ["One of the two ends it."]
    return reasons + (["It has ended."] if row.revoked_at else [])


@admin.register(Delegation)
class DelegationAdmin(RecordAdmin):
    """Decisions that somebody makes for somebody else: dated, accepted, both names on each."""

    area, icon, nav_position = AREA, "swap_horiz", 30
    list_display = ["delegate", "delegator", "valid_from", "valid_to", "accepted_at", "revoked_at"]
    list_select_related = ["delegate", "delegator"]
    search_fields = ["delegate__username", "delegator__username"]
    find_fields = ["*delegate__display_name"]
    list_filter = ["valid_to"]
    fieldsets = [("Delegation", {"fields": ["delegator", "delegate", "valid_from", "valid_to", "reason"]})]
    empty_text = "Nobody decides for anybody else. 'Delegate' before you leave."
    acts = [
        Act("accept", "Accept", f"{SERVICES}.accept", unavailable=_not_delegate, icon="check"),
        Act("revoke", "End now", f"{SERVICES}.revoke", unavailable=_not_party, danger=True, icon="close"),
    ]
    list_acts = [
        ListAct(
            "give", "Delegate", f"{SERVICES}.give", duty="approvals.delegation.give",
            form=DelegateForm, reason="required", icon="swap_horiz",
        )
    ]  # fmt: skip

    def facts(self, obj: Delegation) -> list[Fact]:
        return [
            Fact("Decides", obj.delegate),
            Fact("For", obj.delegator),
            Fact("From", obj.valid_from),
            Fact("To", obj.valid_to),
            Fact("Accepted", obj.accepted_at),
        ]


@admin.register(Holiday)
class HolidayAdmin(RecordAdmin):
    """Days that count for no reminder and no expiry."""

    area, icon, nav_position, nav_title = AREA, "event_busy", 40, "Calendar"
    list_display = ["day", "name"]
    search_fields = ["name"]
    find_fields = ["*name"]
    list_acts = [
        ListAct(
            "add", "Add a holiday", "o2c.controls.approvals.services.holidays.add",
            duty="approvals.calendar.maintain",
            form=type("HolidayForm", (forms.Form,), {
                "day": forms.DateField(widget=forms.DateInput(attrs={"type": "date"})),
                "name": forms.CharField(max_length=100),
            }),
        )
    ]  # fmt: skip
