"""Stand-alone selling prices."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin

from o2c.console import Act, Fact, ListAct, RecordAdmin
from o2c.console import format as fmt
from o2c.controls.approvals.admin.asking import ask_act, needs
from orders.models import Sku
from revenue.models import SspEntry
from revenue.services import ssp


class SspForm(forms.Form):
    sku = forms.ModelChoiceField(Sku.objects.all(), label="SKU")
    currency = forms.CharField(min_length=3, max_length=3, initial="USD")
    unit_amount = forms.DecimalField(max_digits=28, decimal_places=12)
    per = forms.ChoiceField(choices=SspEntry.Per.choices)
    low = forms.DecimalField(required=False, max_digits=20, decimal_places=3)
    high = forms.DecimalField(required=False, max_digits=20, decimal_places=3)
    method = forms.ChoiceField(choices=SspEntry.Method.choices)
    effective_from = forms.DateField(widget=forms.DateInput(attrs={"type": "date"}))
    evidence = forms.CharField(max_length=300, help_text="The study: where it is and what it covers.")


def propose(*, sku: Sku, currency: str, actor: Any, reason: str = "", **fields: Any) -> SspEntry:
    return ssp.propose(sku_id=sku.pk, currency=currency.upper(), actor=actor, reason=reason, **fields)


def _not_approved(entry: SspEntry, user: Any) -> list[str]:
    reasons = []
    if entry.approved_by_id is not None:
        reasons.append("It is approved already.")
    if entry.proposed_by_id == user.pk:
        reasons.append("Who proposed the price does not approve it.")
    return reasons


def _approved(entry: SspEntry, user: Any) -> list[str]:
    return ["It is approved already."] if entry.approved_by_id is not None else []


_far = needs("revenue.ssp.approve", _approved)


def _approvable(entry: SspEntry, user: Any) -> list[str]:
    return _not_approved(entry, user) or _far(entry, user)


@admin.register(SspEntry)
class SspEntryAdmin(RecordAdmin):
    """What SKUs sell for by themselves."""

    area, icon, nav_position, nav_title = "Revenue", "sell", 50, "Stand-alone prices"
    list_display = ["sku", "currency", "unit_amount", "per", "effective_from", "effective_to", "approved_by"]
    list_select_related = ["sku", "approved_by", "proposed_by"]
    list_filter = ["currency", "method"]
    search_fields = ["sku__code", "sku__name"]
    list_acts = [
        ListAct("propose", "Propose a price", "revenue.admin.ssp.propose", duty="revenue.ssp.propose",
                form=SspForm, description="It counts once somebody else has approved it.")
    ]  # fmt: skip
    acts = [
        ask_act("revenue.ssp.approve", "revenue.services.ssp.ask", _approved),
        Act("approve", "Approve", "revenue.services.ssp.approve", duty="revenue.ssp.approve",
            unavailable=_approvable,
            description="Contracts and changes from its first day on are allocated by it. Earlier ones stay.")
    ]  # fmt: skip
    empty_text = "Without an entry the list price stands in: it is observable."

    def facts(self, entry: SspEntry) -> list[Fact]:
        return [
            Fact("SKU", entry.sku),
            Fact("Price", fmt.money(entry.unit_amount, entry.currency), note=entry.get_per_display()),
            Fact("Range", f"{entry.low or '…'} to {entry.high or '…'}"),
            Fact("Evidence", entry.evidence),
        ]
