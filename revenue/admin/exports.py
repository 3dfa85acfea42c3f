"""Files for the general ledger."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin

from o2c.console import Act, Column, Fact, ListAct, Panel, RecordAdmin
from o2c.console import format as fmt
from o2c.ledger.models import AccountingPeriod
from o2c.states import explain
from revenue.models import GlExport


class ExportForm(forms.Form):
    """Which month and which ledger."""

    period_id = forms.TypedChoiceField(label="Month", coerce=int)
    format = forms.ChoiceField(choices=GlExport.Format.choices)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["period_id"]
        assert isinstance(field, forms.ChoiceField)
        periods = AccountingPeriod.objects.filter(journals__gl_export__isnull=True, journals__isnull=False)
        field.choices = [
            (p.pk, str(p))
            for p in periods.select_related("entity").order_by("starts_on", "entity").distinct()
        ]


class AcknowledgeForm(forms.Form):
    lines = forms.IntegerField(min_value=0, help_text="Lines that the ledger says it took.")
    total_debit = forms.DecimalField(max_digits=20, decimal_places=3)
    gl_reference = forms.CharField(max_length=80, required=False, label="Reference in the ledger")


def _not_sent(export: GlExport, user: Any) -> list[str]:
    return explain(export, "acknowledge", user)


@admin.register(GlExport)
class GlExportAdmin(RecordAdmin):
    """Batches of journals for the general ledger, each journal in one of them."""

    area, icon, nav_position, nav_title = "Revenue", "upload_file", 80, "Ledger exports"
    list_display = ["external_id", "period", "format", "state", "journals", "lines", "total_debit"]
    list_select_related = ["period__entity", "entity"]
    list_filter = ["state", "entity", "format"]
    search_fields = ["external_id", "gl_reference"]
    find_fields = ["external_id", "gl_reference"]
    transition_options = {"reject": {"reason": "required", "danger": True}}
    list_acts = [
        ListAct("build", "Build an export", "revenue.services.exports.build", duty="revenue.export.build",
                form=ExportForm, icon="upload_file",
                description="Every journal of the month that no earlier file took.")
    ]  # fmt: skip
    acts = [
        Act("acknowledge", "Acknowledge", "revenue.services.exports.acknowledge",
            duty="revenue.export.acknowledge", form=AcknowledgeForm, unavailable=_not_sent,
            description="The totals that the ledger reports must be those of the file.")
    ]  # fmt: skip

    def facts(self, export: GlExport) -> list[Fact]:
        money = export.entity.currency
        return [
            Fact("Period", export.period),
            Fact("File", export.document),
            Fact("Journals", export.journals),
            Fact("Lines", export.lines),
            Fact("Debit = credit", fmt.money(export.total_debit, money)),
            Fact("sha256", export.sha256[:16]),
        ]

    def notices(self, export: GlExport) -> list[tuple[str, str]]:
        return [("bad", f"The ledger answered: {export.rejection}")] if export.rejection else []

    def panels(self, export: GlExport) -> list[Panel]:
        money = export.entity.currency
        lines = export.file_lines.order_by("position")
        return [
            Panel("Lines of the file", lines, [
                Column("position"), Column("group", "Entry"), Column("posting_date"), Column("rule"),
                Column("account"), Column("segment"), Column("currency"),
                Column("functional_debit", "Debit", money=money, total=True),
                Column("functional_credit", "Credit", money=money, total=True),
            ], limit=200, link_rows=False),
        ]  # fmt: skip
