"""Frozen usage hours, and the requests that carried them."""

from typing import Any

from django.contrib import admin

from o2c.console import RecordAdmin
from o2c.console.acts import ListAct
from o2c.console.panels import Fact, Panel
from partners.models import MeteringBatch, MeteringRecord


@admin.register(MeteringRecord)
class MeteringRecordAdmin(RecordAdmin):
    area = "Partners"
    icon = "schedule_send"
    nav_position = 20
    nav_title = "Usage hours"
    list_display = ["hour", "dimension", "quantity", "used", "late", "carry_out"]
    list_select_related = ["dimension__agreement"]
    list_filter = ["dimension__agreement"]
    date_hierarchy = "hour"
    ordering = ["-hour"]
    list_acts = [
        ListAct(
            "meter_now",
            "Freeze and send now",
            "partners.services.jobs.meter_now",
            duty="partners.metering.send",
            description="As the clock does every 15 minutes: freezes closed hours and sends what is unsent.",
            reason="none",
        )
    ]

    def facts(self, obj: Any) -> list[Fact]:
        newest = obj.results.order_by("-pk").first()
        return [
            Fact("Agreement", obj.dimension.agreement),
            Fact("Sent quantity", obj.quantity),
            Fact("Answer", newest.status if newest else "not sent yet"),
            Fact("Record at AWS", newest.metering_record_id if newest else ""),
        ]

    def panels(self, obj: Any) -> list[Panel]:
        return [
            Panel(
                "Answers of AWS",
                obj.results.order_by("-pk"),
                ["answered_at", "status", "disposition", "metering_record_id", "message", "batch"],
                link_rows=False,
            )
        ]


@admin.register(MeteringBatch)
class MeteringBatchAdmin(RecordAdmin):
    area = "Partners"
    icon = "outbox"
    nav_position = 25
    list_display = ["pk", "product_code", "sent_at", "request_sha256"]
    search_fields = ["product_code", "request_sha256"]
    ordering = ["-pk"]

    def panels(self, obj: Any) -> list[Panel]:
        return [
            Panel(
                "Answers",
                obj.results.select_related("record__dimension"),
                ["record", "record.dimension.key", "status", "disposition", "metering_record_id"],
                link_rows=False,
                limit=50,
            )
        ]
