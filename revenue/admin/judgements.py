"""Treatments of modifications: proposed on the contract, decided on their own page."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import F, Sum

from o2c.actor import Actor
from o2c.console import Act as ConsoleAct
from o2c.console import Column, Fact, Panel, RecordAdmin
from o2c.console import format as fmt
from o2c.console.registry import Anchor
from o2c.controls.approvals.admin.asking import ask_act, needs
from revenue.models import ContractVersion, Obligation, RevenueContract, TreatmentJudgement
from revenue.services import judgements

AREA = "Revenue"
APPROVE = judgements.APPROVE
ANSWERS = {"yes": True, "no": False, "": None}


def _form(contract: RevenueContract) -> type[forms.Form]:
    """The form of a proposal: the modifications and the scheduled promises of this contract."""
    versions = contract.versions.filter(cause__in=judgements.MODIFICATIONS).order_by("-number")
    promises = contract.obligations.filter(basis=Obligation.Basis.FIXED).order_by("order_line__position")

    class ProposeForm(forms.Form):
        version = forms.ModelChoiceField(versions, label="Modification", empty_label=None)
        obligations = forms.ModelMultipleChoiceField(
            promises, widget=forms.CheckboxSelectMultiple, label="Promises", initial=list(promises[:1])
        )
        treatment = forms.ChoiceField(choices=TreatmentJudgement.Treatment.choices)
        remaining_distinct = forms.ChoiceField(
            choices=[("", "Not asked: as the rules derive it"), ("yes", "Yes"), ("no", "No")],
            required=False,
            label="Is what remains distinct?",
            help_text="From what was given before. Yes: separate or prospective. No: cumulative.",
        )
        price_support = forms.CharField(
            max_length=300,
            required=False,
            label="Why the price is the stand-alone price",
            help_text="For a separate contract that the rule does not find at its price (606-10-25-12(b)).",
        )
        memo = forms.CharField(
            max_length=2000,
            widget=forms.Textarea(attrs={"rows": 4}),
            help_text="The facts, the question and the conclusion.",
        )
        support = forms.CharField(max_length=300, help_text="The evidence: what it is and where it is filed.")

    ProposeForm.base_fields["version"].label_from_instance = _modification  # type: ignore[attr-defined]
    return ProposeForm


def _modification(version: ContractVersion) -> str:
    return f"Version {version.number}, {version.get_cause_display().lower()} from {version.effective_on}"


def propose(
    pk: int, *, version: ContractVersion, obligations: Any, remaining_distinct: str, actor: Actor,
    reason: str = "", **fields: Any,
) -> TreatmentJudgement:  # fmt: skip
    """Propose a treatment from the contract's page."""
    return judgements.propose(
        version.pk, obligations=[o.pk for o in obligations], actor=actor, reason=reason,
        remaining_distinct=ANSWERS[remaining_distinct], **fields,
    )  # fmt: skip


def _no_modification(contract: RevenueContract, user: Any) -> list[str]:
    if contract.versions.filter(cause__in=judgements.MODIFICATIONS).exists():
        return []
    return ["No amendment has changed it: there is nothing to treat."]


PROPOSE = ConsoleAct(
    "propose_treatment",
    "Propose treatment",
    "revenue.admin.judgements.propose",
    duty="revenue.treatment.propose",
    form=_form,
    unavailable=_no_modification,
    reason="none",
    primary=False,
    icon="balance",
    description="Computed now and shown before and after; it counts once somebody else has approved it.",
)


def _proposed(row: TreatmentJudgement, user: Any) -> list[str]:
    return [] if row.state == TreatmentJudgement.State.PROPOSED else ["Only a proposed treatment is decided."]


def _not_mine(ready: Callable[[Any, Any], list[str]]) -> Callable[[Any, Any], list[str]]:
    def unavailable(row: TreatmentJudgement, user: Any) -> list[str]:
        if row.proposed_by_id == user.pk:
            return ["Who proposed a treatment does not decide about it."]
        return ready(row, user)

    return unavailable


@admin.register(TreatmentJudgement)
class TreatmentJudgementAdmin(RecordAdmin):
    """How modifications are accounted for, where a person decided."""

    area, icon, nav_position, nav_title = AREA, "balance", 25, "Modification treatments"
    list_display = ["__str__", "contract", "treatment", "state", "proposed_by", "decided_by"]
    list_select_related = [
        "version__contract__order", "version__contract__customer", "version__contract__entity", "amendment",
        "proposed_by", "decided_by",
    ]  # fmt: skip
    list_filter = ["state", "treatment"]
    search_fields = ["version__contract__order__number", "memo", "support"]
    fieldsets = [
        (
            "Judgement",
            {"fields": ["treatment", "remaining_distinct", "price_support", "memo", "support", "state"]},
        )
    ]
    exclude = ["journals"]
    empty_text = "Every modification is treated as the rules derive it. A contract's page proposes another."
    acts = [ask_act(APPROVE, "revenue.services.judgements.ask", _proposed)]
    transition_options = {
        "approve": {
            "unavailable": _not_mine(needs(APPROVE, _proposed)),
            "description": "The contract gets the version that is shown; closed months keep what was posted.",
            "bulk": False,
            "follow": False,
        },
        "reject": {"reason": "required", "unavailable": _not_mine(lambda row, user: []), "primary": False},
        "withdraw": {"reason": "required", "primary": False},
    }

    @admin.display(description="Contract", ordering="version__contract")
    def contract(self, row: TreatmentJudgement) -> Any:
        return fmt.show(row.version.contract)

    def strip_anchor(self, row: TreatmentJudgement) -> Anchor:
        return Anchor("order", (row.version.contract.order_id,))

    def facts(self, row: TreatmentJudgement) -> list[Fact]:
        currency, period = row.version.contract.currency, row.journals.get("period", "")
        changes = [(f"{m.month:%Y-%m}", m.after - m.before) for m in row.months.all()]
        moved = sum((abs(change) for _, change in changes), Decimal(0)) / 2
        caught_up = sum((change for month, change in changes if month <= period), Decimal(0))
        return [
            Fact("Contract", row.version.contract),
            Fact("Modification", row.amendment, note=_modification(row.version)),
            Fact("Treatment", row.get_treatment_display(), note=row.paragraph),
            Fact("Moves between months", fmt.money(moved, currency)),
            Fact("Catch-up", fmt.money(caught_up, currency), note=f"in {period}, with the months before"),
            Fact("Proposed by", row.proposed_by),
            Fact("Decided by", row.decided_by or "nobody yet"),
        ]

    def panels(self, row: TreatmentJudgement) -> list[Panel]:
        money = row.version.contract.currency
        months = (
            row.months.values("month")
            .annotate(was=Sum("before"), now=Sum("after"), difference=Sum(F("after") - F("before")))
            .order_by("month")
        )
        about = row.obligations.select_related("obligation").order_by("obligation")
        journals = [
            said | {side: Decimal(said[side]) for side in ("debit", "credit")}
            for said in row.journals.get("lines", [])
        ]
        period = row.journals.get("period", "the first open period")
        return [
            Panel("Promises", about, [
                Column("obligation", link=True), Column("treatment_before", "Treated until then"),
            ], link_rows=False),
            Panel("Revenue by month", months, [
                Column(lambda m: f"{m['month']:%Y-%m}", "Month"),
                Column("was", "Before", money=money, total=True),
                Column("now", "After", money=money, total=True),
                Column("difference", money=money, total=True),
            ], limit=60, link_rows=False,
                note="Of all promises that it moves. Closed months keep what was posted for them."),
            Panel(f"What recognition posts more in {period}", journals, [
                Column("account"), Column("name"), Column("debit", money=money),
                Column("credit", money=money),
            ], link_rows=False, note="In the first open period, as the books were when it was proposed.",
                empty="Nothing: it changes no month up to then."),
        ]  # fmt: skip
