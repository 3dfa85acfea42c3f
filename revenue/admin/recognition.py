"""What was recognised, and the runs that did it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Sum

from o2c.console import Column, Fact, ListAct, Panel, RecordAdmin
from o2c.console import format as fmt
from o2c.console.columns import why_url
from o2c.console.registry import Anchor
from o2c.ledger.models import AccountingPeriod, Journal
from revenue.models import Adjustment, Recognition, RecognitionRun

AREA = "Revenue"


class PeriodForm(forms.Form):
    """Which month; closed ones are not offered."""

    period_id = forms.TypedChoiceField(label="Month", coerce=int)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["period_id"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [
            (p.pk, str(p))
            for p in AccountingPeriod.objects.exclude(state=AccountingPeriod.State.CLOSED)
            .select_related("entity")
            .order_by("starts_on", "entity")
        ]


@admin.register(RecognitionRun)
class RecognitionRunAdmin(RecordAdmin):
    """Runs: what each found to do."""

    area, icon, nav_position, nav_title = AREA, "play_circle", 40, "Recognition runs"
    list_display = ["__str__", "entity", "period", "number", "recorded_at"]
    list_select_related = ["entity", "period__entity"]
    list_filter = ["entity", "period"]
    list_acts = [
        ListAct("recognise", "Recognise a month", "revenue.services.recognition_jobs.request",
                duty="revenue.recognition.run", form=PeriodForm, icon="play_arrow",
                description="Posts what should have been recognised less what has been. Safe to repeat.",
                done="The run is on its way; its job shows the progress.")
    ]  # fmt: skip

    def facts(self, run: RecognitionRun) -> list[Fact]:
        found = run.recognitions.aggregate(slices=Count("pk"), functional=Sum("functional"))
        return [
            Fact("Period", run.period),
            Fact("Slices", found["slices"]),
            Fact("Revenue", fmt.money(found["functional"], run.entity.currency)),
        ]

    def panels(self, run: RecognitionRun) -> list[Panel]:
        money = run.entity.currency
        by_rule = (
            run.recognitions.values("rule", "effective_month")
            .annotate(slices=Count("pk"), amount=Sum("functional"))
            .order_by("effective_month", "rule")
        )
        adjustments = (
            run.adjustments.values("kind").annotate(n=Count("pk"), amount=Sum("functional")).order_by("kind")
        )
        return [
            Panel("What it posted", by_rule, [
                Column("rule"), Column("effective_month", "Belongs to"), Column("slices"),
                Column("amount", money=money, total=True),
            ], link_rows=False, empty="Nothing: everything was recognised already."),
            Panel("Balances it moved", adjustments, [
                Column("kind"), Column("n", "Obligations"), Column("amount", money=money),
            ], link_rows=False, empty="None."),
        ]  # fmt: skip


@admin.register(Recognition)
class RecognitionAdmin(RecordAdmin):
    """Every slice of revenue that was posted."""

    area, icon, nav_position, nav_title = AREA, "payments", 30, "Recognised revenue"
    list_display = ["obligation", "contract", "effective_month", "period", "kind", "amount", "rule"]
    list_select_related = ["obligation", "contract__order", "period__entity"]
    list_filter = ["period", "kind", "rule", "period__entity"]
    search_fields = ["contract__order__number", "obligation__description"]
    date_hierarchy = "effective_month"
    why_fields = {"amount": "revenue.admin.explain.recognition"}

    def facts(self, row: Recognition) -> list[Fact]:
        return [
            Fact("Contract", row.contract),
            Fact("Obligation", row.obligation),
            Fact("Amount", fmt.money(row.amount, row.contract.currency, why=why_url(row, "amount"))),
            Fact("Belongs to", f"{row.effective_month:%Y-%m}"),
            Fact("Posted in", row.period),
        ]

    def strip_anchor(self, row: Recognition) -> Anchor:
        return Anchor("order", (row.contract.order_id,))

    def panels(self, row: Recognition) -> list[Panel]:
        journals = Journal.objects.filter(event_key=row.event_key).order_by("pk")
        return [
            Panel(
                "Journals",
                journals,
                [Column("id", "Journal"), "posting_date", "effective_date", "rule", "memo"],
            )
        ]


@admin.register(Adjustment)
class AdjustmentAdmin(RecordAdmin):
    """Movements of contract balances that are no revenue."""

    area, icon, nav_position, in_sidebar = AREA, "swap_horiz", 60, False
    list_display = ["contract", "obligation", "period", "kind", "amount", "functional"]
    list_select_related = ["obligation", "contract__order", "period__entity"]
    list_filter = ["kind", "period"]
