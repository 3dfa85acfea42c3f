"""Manual journals: drafted from a few rows of text, asked for, posted by the approval."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet, Sum
from django.http import HttpRequest
from django.utils.safestring import SafeString

from o2c.actor import Actor
from o2c.console import Column, Fact, ListAct, Panel, RecordAdmin
from o2c.console import format as fmt
from o2c.console.admin.ledger import AREA
from o2c.controls.approvals.admin.asking import ask_act, needs
from o2c.ledger import manual
from o2c.ledger.models import Journal, LegalEntity, ManualJournal

MOST = Decimal(10) ** 15  # above it no journal of one company; columns hold 17 digits before the point


class LinesField(forms.CharField):
    """One line to a row: account, 'debit' or 'credit', amount."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            widget=forms.Textarea(attrs={"rows": 4, "class": "font-mono"}),
            initial="6100 debit 0.00\n1190 credit 0.00",
            help_text=f"One to a row: '6100 debit 1200.00'. By hand: {', '.join(sorted(manual.BY_HAND))}.",
            **kwargs,
        )

    def clean(self, value: Any) -> list[manual.Side]:
        found: list[manual.Side] = []
        for row in super().clean(value).splitlines():
            parts = row.split()
            if not parts:
                continue
            try:
                code, side, amount = parts[0], parts[1].lower(), Decimal(parts[2].replace(",", ""))
            except (IndexError, InvalidOperation):
                raise forms.ValidationError(f"{row!r} is no line: say account, side and amount.") from None
            if side not in ("debit", "credit") or not amount.is_finite() or amount < 0:
                raise forms.ValidationError(f"{row!r} is no line: 'debit' or 'credit', and an amount.")
            if amount >= MOST:
                raise forms.ValidationError(f"{row!r}: an amount of the books has at most 15 digits.")
            zero = Decimal(0)
            found.append((code, amount, zero, "") if side == "debit" else (code, zero, amount, ""))
        return found


class ManualForm(forms.Form):
    entity = forms.ModelChoiceField(LegalEntity.objects.all())
    currency = forms.CharField(min_length=3, max_length=3, initial="USD")
    posting_date = forms.DateField(widget=forms.DateInput(attrs={"type": "date"}), label="Booked on")
    memo = forms.CharField(max_length=200, label="What for")
    support = forms.CharField(max_length=300, help_text="The evidence: what it is and where it is filed.")
    lines = LinesField()


def draft(
    *, entity: LegalEntity, currency: str, actor: Actor, reason: str = "", **fields: Any
) -> ManualJournal:
    return manual.draft(entity_id=entity.pk, currency=currency.upper(), actor=actor, reason=reason, **fields)


def _not_draft(row: ManualJournal, user: Any) -> list[str]:
    return [] if row.state == ManualJournal.State.DRAFT else ["Only a draft is posted."]


@admin.register(ManualJournal)
class ManualJournalAdmin(RecordAdmin):
    """Entries by hand, with their support."""

    area, icon, nav_position, nav_title = AREA, "edit_note", 45, "Manual journals"
    list_display = ["__str__", "entity", "posting_date", "worth", "state", "prepared_by", "posted_by"]
    list_select_related = ["entity", "prepared_by", "posted_by"]
    list_filter = ["state", "entity", "posting_date"]
    search_fields = ["memo", "support"]
    fieldsets = [("Journal", {"fields": ["entity", "currency", "posting_date", "memo", "support"]})]
    empty_text = "No manual journal. Accounts of sub-ledgers take none: correct the document instead."
    list_acts = [
        ListAct(
            "new", "New manual journal", "o2c.console.admin.manual.draft", duty="ledger.journal.prepare",
            form=ManualForm, description="Books nothing before somebody else has approved it.",
        )
    ]  # fmt: skip
    acts = [ask_act("ledger.journal.post", "o2c.ledger.manual.ask", _not_draft)]
    transition_options = {
        "post": {"unavailable": needs("ledger.journal.post", _not_draft), "primary": False},
        "drop": {"reason": "required", "danger": True},
    }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(debits=Sum("lines__debit"))

    @admin.display(description="Amount", ordering="debits")
    def worth(self, row: Any) -> SafeString:
        return fmt.money(row.debits, row.currency)

    def facts(self, row: Any) -> list[Fact]:
        return [
            Fact("Entity", row.entity),
            Fact("Booked on", row.posting_date),
            Fact("Amount", fmt.money(row.debits, row.currency)),
            Fact("Prepared by", row.prepared_by),
            Fact("Support", row.support),
        ]

    def panels(self, row: ManualJournal) -> list[Panel]:
        columns = [
            Column("account"),
            Column("debit", money=row.currency, total=True),
            Column("credit", money=row.currency, total=True),
        ]
        booked = Journal.objects.filter(source=f"ledger.manualjournal:{row.pk}")
        return [
            Panel("Lines", row.lines.select_related("account").order_by("pk"), columns, link_rows=False),
            Panel("In the books", booked, ["id", "posting_date", "period", "memo"], empty="Not yet."),
        ]
