"""Revenue contracts and their obligations."""

from __future__ import annotations

from decimal import Decimal

from django.contrib import admin
from django.db.models import QuerySet, Sum
from django.urls import URLPattern, path

from o2c.console import Column, Fact, Panel, RecordAdmin
from o2c.console import format as fmt
from o2c.console.columns import why_url
from o2c.console.keys import key_link
from o2c.console.registry import Anchor
from o2c.ledger.models import Journal
from revenue.admin import pages
from revenue.admin.judgements import PROPOSE
from revenue.models import (
    Allocation,
    Obligation,
    Recognition,
    RevenueContract,
    ScheduleSlice,
    TreatmentJudgement,
)
from revenue.selectors import standing

AREA = "Revenue"


def _recognised(rows: QuerySet[Recognition]) -> Decimal:
    amount: Decimal | None = rows.aggregate(amount=Sum("amount"))["amount"]
    return amount or Decimal(0)


@admin.register(RevenueContract)
class RevenueContractAdmin(RecordAdmin):
    """Orders as revenue contracts: versions, obligations, balances."""

    area, icon, nav_position, nav_title = AREA, "contract", 10, "Contracts"
    list_display = ["__str__", "customer", "order", "currency", "transaction_price", "version", "ends_on"]
    list_select_related = ["customer", "order", "entity"]
    list_filter = ["entity", "currency", "reallocates"]
    search_fields = ["order__number", "customer__name"]
    find_fields = ["order__number"]
    why_fields = {"transaction_price": "revenue.admin.explain.transaction_price"}
    acts = [PROPOSE]
    empty_text = "An order becomes a contract when it is activated."
    wide = True

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("reports/trial-balance/", view(pages.trial_balance), name="revenue_trial_balance"),
            path(
                "reports/trial-balance.xlsx",
                view(pages.trial_balance_xlsx),
                name="revenue_trial_balance_xlsx",
            ),
            path("reports/waterfall/", view(pages.waterfall), name="revenue_waterfall"),
            path("reports/waterfall.xlsx", view(pages.waterfall_xlsx), name="revenue_waterfall_xlsx"),
            path("reports/balances/", view(pages.balances), name="revenue_balances"),
            *super().get_urls(),
        ]

    def facts(self, contract: RevenueContract) -> list[Fact]:
        recognised = _recognised(Recognition.objects.filter(contract=contract))
        return [
            Fact("Customer", contract.customer),
            Fact("Order", contract.order),
            Fact("Transaction price", fmt.money(
                contract.transaction_price, contract.currency, why=why_url(contract, "transaction_price")
            ), note="fixed consideration"),
            Fact("Recognised", fmt.money(recognised, contract.currency), note="usage included"),
            Fact("Version", contract.version),
        ]  # fmt: skip

    def strip_anchor(self, contract: RevenueContract) -> Anchor:
        return Anchor("order", (contract.order_id,))

    def panels(self, contract: RevenueContract) -> list[Panel]:
        money = contract.currency
        obligations = standing.of_contract(contract)
        months = standing.months(contract)
        versions = standing.versions(contract)
        judged = TreatmentJudgement.objects.filter(version__contract=contract).select_related(
            "proposed_by", "decided_by"
        )
        journals = Journal.objects.filter(source=f"revenue.revenuecontract:{contract.pk}").order_by("-pk")
        return [
            Panel("Obligations", obligations, [
                Column("obligation", "Promise", link=False), Column("treatment"), Column("basis"),
                Column("ssp", "Stand-alone price", money=money, total=True),
                Column("stated", money=money, total=True), Column("allocated", money=money, total=True),
                Column("recognised", money=money, total=True),
            ], link_rows=False, empty="The order has no lines."),
            Panel("Balances", obligations, [
                Column("obligation", "Promise", link=False),
                Column("liability", "Deferred (2100)", money=money, total=True),
                Column("asset", "Contract asset (1120)", money=money, total=True),
                Column("unbilled", "Unbilled (1110)", money=money, total=True),
                Column("prepaid", "Prepaid (2110)", money=money, total=True),
            ], link_rows=False, empty="The order has no lines.",
                note="What the ledger carries of each promise today."),
            Panel("Revenue by month", months, [
                Column("month"), Column("planned", money=money, total=True),
                Column("by_plan", "Posted of it", money=money, total=True),
                Column("open", "To post", money=money, total=True),
                Column("charged", "As charged", money=money, total=True),
            ], limit=60, link_rows=False,
                note="Planned is the schedule of the current version; usage is earned as charged.",
                empty="Nothing is planned and nothing was used."),
            Panel("Versions", versions, [
                Column("number"), Column("effective_on"), Column("because"),
                Column(lambda v: key_link(v.source), "Of"), Column("treated", "Treatment"),
                Column("rule", "Paragraph"), Column("judged", "Judged or derived"),
                Column("transaction_price", money=money),
            ], link_rows=False, note="Each change is a version; closed months keep what was posted."),
            Panel("Treatments judged", judged, [
                Column("__str__", "Judgement", link=True), Column("treatment"), Column("state"),
                Column("proposed_by"), Column("decided_by"),
            ], empty="None: every modification is treated as the rules derive it."),
            Panel("Journals", journals, [Column("id", "Journal"), "posting_date", "rule", "memo"],
                  href=fmt.list_url(Journal, source=f"revenue.revenuecontract:{contract.pk}"),
                  empty="Nothing is posted yet: recognition posts at month end."),
        ]  # fmt: skip


@admin.register(Obligation)
class ObligationAdmin(RecordAdmin):
    """Promises to customers, one per order line."""

    area, icon, nav_position = AREA, "task_alt", 20
    list_display = ["description", "contract", "treatment", "basis", "allocated", "starts_on", "ends_on"]
    list_select_related = ["contract__order", "contract__customer"]
    list_filter = ["treatment", "basis", "contract__entity"]
    search_fields = ["description", "contract__order__number"]
    why_fields = {"allocated": "revenue.admin.explain.allocated"}

    def facts(self, obligation: Obligation) -> list[Fact]:
        contract = obligation.contract
        recognised = _recognised(obligation.recognitions.all())
        return [
            Fact("Contract", contract),
            Fact("Treatment", obligation.get_treatment_display(), note=obligation.get_basis_display()),
            Fact("Allocated", fmt.money(
                obligation.allocated, contract.currency, why=why_url(obligation, "allocated")
            )),
            Fact("Recognised", fmt.money(recognised, contract.currency)),
        ]  # fmt: skip

    def strip_anchor(self, obligation: Obligation) -> Anchor:
        return Anchor("order", (obligation.contract.order_id,))

    def panels(self, obligation: Obligation) -> list[Panel]:
        contract = obligation.contract
        money = contract.currency
        plan = ScheduleSlice.objects.filter(
            obligation=obligation, version__contract=contract, version__number=contract.version
        ).order_by("month", "kind")
        allocations = (
            Allocation.objects.filter(obligation=obligation)
            .select_related("version")
            .order_by("version__number")
        )
        recognitions = obligation.recognitions.select_related("period__entity", "contract")
        return [
            Panel("Recognised", recognitions, [
                Column("effective_month", "Month"), Column("period", "Posted in"), Column("kind"),
                Column("amount", money=money, total=True, why=lambda row: why_url(row, "amount")),
                Column("rule"),
            ], limit=60, empty="Nothing yet: recognition posts at month end."),
            Panel("Schedule", plan, [
                Column("month"), Column("kind"), Column("amount", money=money, total=True),
            ], limit=60, link_rows=False, note="Of the current version.",
                empty="It is earned as it is charged: there is no schedule."),
            Panel("Allocation by version", allocations, [
                Column("version.number", "Version"), Column("version.effective_on", "From"),
                Column("stated", money=money), Column("ssp", "Stand-alone", money=money),
                Column(lambda row: fmt.words(row.ssp_method), "By"), Column("price", money=money),
                Column("credit", money=money), Column("treatment"), Column("rule"),
            ], link_rows=False, empty="It is charged, not allocated."),
        ]  # fmt: skip
