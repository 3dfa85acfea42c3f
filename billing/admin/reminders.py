"""The dunning plan, and the reminders that were sent."""

from __future__ import annotations

from django.contrib import admin

from billing.models import DunningLevel, DunningNotice
from o2c.console import RecordAdmin


@admin.register(DunningLevel)
class DunningLevelAdmin(RecordAdmin):
    area, icon, nav_position = "Cash", "stairs", 60
    nav_title = "Dunning plan"
    list_display = ["level", "name", "days_overdue", "subject", "escalates"]
    editable_fields = ["name", "days_overdue", "subject", "body", "escalates"]
    edit_duty = "billing.dunning.maintain"
    empty_text = "No plan yet: without levels nobody is reminded."


@admin.register(DunningNotice)
class DunningNoticeAdmin(RecordAdmin):
    area, icon, nav_position = "Cash", "notifications", 50
    nav_title = "Reminders"
    list_display = ["noticed_on", "customer", "level", "amount", "currency", "oldest_due", "address"]
    list_select_related = ["customer"]
    list_filter = ["level", "currency"]
    search_fields = ["customer__name", "customer__number", "address"]
    empty_text = "Nobody was reminded yet."
