"""Bill runs: the cockpit of a run, and the findings of its review."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import Count, Q
from django.utils.html import format_html

from billing.admin import forms
from billing.models import BillRun, BillRunFinding, Invoice
from billing.services import run_jobs
from billing.services.findings import CHECKS
from o2c.console import Act, Column, Fact, ListAct, Panel, RecordAdmin
from o2c.console import format as fmt
from o2c.controls.approvals.admin.asking import ask_act, needs
from o2c.runtime.models import Job

FIGURES = ("expected", "recalculated", "drafted", "posted", "charged", "booked", "tax", "total")


def _same_person(run: BillRun, user: Any) -> list[str]:
    if user.pk in (run.calculated_by_id, run.planned_by_id):
        return ["you planned or calculated it: a second person releases it"]
    return []


def _not_calculated(run: BillRun, user: Any) -> list[str]:
    return [] if run.state == BillRun.State.CALCULATED else ["Only a calculated run is released."]


_amount_needs = needs("billing.run.release", _not_calculated)


def _releasable(run: BillRun, user: Any) -> list[str]:
    return _same_person(run, user) + _amount_needs(run, user)


def _jobs(run: BillRun) -> Any:
    keys = [f"{kind}:{run.pk}" for kind in (run_jobs.CALCULATE, run_jobs.POST)]
    return Job.objects.filter(key__in=keys).order_by("-pk")


def _figure(name: str) -> Column:
    return Column(
        lambda row: Decimal(row[name]) if name in row else None,
        name.capitalize(),
        money="currency",
        numeric=True,
    )


@admin.register(BillRun)
class BillRunAdmin(RecordAdmin):
    area, icon, nav_position, wide = "Billing", "play_circle", 10, True
    list_display = [
        "number",
        "entity",
        "currency",
        "through",
        "issue_on",
        "documents",
        "state",
        "released_by",
    ]
    list_select_related = ["entity", "released_by"]
    list_filter = ["state", "entity"]
    search_fields = ["number"]
    find_fields = ["number"]
    fieldsets = [
        ("Scope", {"fields": ["entity", "currency", "through", "issue_on"]}),
        (
            "Who",
            {
                "fields": [
                    "planned_by",
                    "calculated_by",
                    "calculated_at",
                    "released_by",
                    "released_at",
                    "posted_at",
                ]
            },
        ),
    ]
    transition_options = {
        "calculate": {"reason": "none", "bulk": False},
        "release": {"unavailable": _releasable, "bulk": False},
        "start_posting": {"reason": "none", "bulk": False},
        "reopen": {"reason": "required", "bulk": False, "primary": False},
        "cancel": {"reason": "required", "danger": True},
    }
    acts = [
        ask_act("billing.run.release", "billing.services.asking.release", _not_calculated),
        Act(
            "resume",
            "Resume posting",
            "billing.services.run_jobs.post",
            duty="billing.run.post",
            reason="none",
            unavailable=lambda run, user: [] if run.state == "posting" else ["It is not being posted."],
            description="Goes on with the drafts that are left, should a worker have died.",
        ),
        Act(
            "acknowledge_all",
            "Acknowledge findings…",
            "billing.services.findings.acknowledge_all",
            duty="billing.run.acknowledge",
            reason="required",
            unavailable=lambda run, user: (
                [] if run.state == "calculated" else ["Only findings of a calculated run are reviewed."]
            ),
            description="Says of every open finding that it is all right. Blockers stay.",
        ),
    ]
    list_acts = [
        ListAct(
            "plan",
            "Plan a run",
            "billing.services.requests.plan_run",
            duty="billing.run.plan",
            form=forms.PlanRunForm,
        )
    ]
    empty_text = "No run yet. 'Plan a run' fixes whom it bills and up to when."

    def get_queryset(self, request: Any) -> Any:
        return super().get_queryset(request).annotate(documents=Count("invoices"))

    def documents(self, obj: Any) -> int:
        return int(obj.documents)

    def facts(self, obj: BillRun) -> list[Fact]:
        open_findings = obj.findings.filter(acknowledged_at__isnull=True).exclude(severity="info").count()
        return [
            Fact("Bills up to", obj.through, note="exclusive"),
            Fact("Invoices dated", obj.issue_on),
            Fact("Customers", sum(len(chunk.customer_ids) for chunk in obj.chunks.all())),
            Fact("Documents", obj.invoices.count()),
            Fact("Open findings", open_findings),
        ]

    def notices(self, obj: BillRun) -> list[tuple[str, str]]:
        found = []
        job = _jobs(obj).first()
        if job is not None and job.state in Job.OPEN:
            done = f", {job.current:,} of {job.total:,}" if job.total else ""
            found.append(("plain", f"{job.phase or 'Waiting for a worker'}{done}. This page may be closed."))
        elif job is not None and job.error:
            found.append(("bad", job.error.strip().splitlines()[-1][:300]))
        if obj.findings.filter(severity="blocker").exists():
            found.append(("bad", "A finding blocks the run: cure it, discard the drafts, calculate again."))
        return found

    def panels(self, obj: BillRun) -> list[Panel]:
        return [*self._checked(obj), *self._made(obj)]

    def _checked(self, obj: BillRun) -> list[Panel]:
        totals = [{"currency": currency, **values} for currency, values in sorted(obj.totals.items())]
        counted = (
            obj.findings.values("code", "severity")
            .annotate(
                found=Count("pk"),
                waiting=Count("pk", filter=Q(acknowledged_at__isnull=True) & ~Q(severity="info")),
            )
            .order_by("severity", "code")
        )
        return [
            Panel(
                "Control totals",
                totals,
                ["currency", "documents", "lines", *(_figure(name) for name in FIGURES)],
                link_rows=False,
                empty="Computed when the run is calculated.",
                note="Expected by the engine = recalculated in SQL = drafted = posted = charged = booked.",
            ),
            Panel(
                "Findings by kind",
                list(counted),
                [
                    Column(lambda row: fmt.words(row["code"]), "Kind"),
                    Column(lambda row: CHECKS[row["code"]].meaning, "Meaning"),
                    "severity",
                    "found",
                    "waiting",
                ],
                link_rows=False,
                empty="Nothing was found.",
            ),
            Panel(
                "Findings",
                obj.findings.select_related("customer", "invoice", "acknowledged_by").order_by(
                    "acknowledged_at", "-severity", "code"
                ),
                [
                    "message",
                    "severity",
                    "customer",
                    "invoice",
                    Column("amount", money="currency"),
                    "acknowledged_by",
                    "acknowledgement",
                ],
                href=fmt.list_url(BillRunFinding, run__id__exact=obj.pk),
                empty="Nothing was found.",
            ),
        ]

    def _made(self, obj: BillRun) -> list[Panel]:
        return [
            Panel(
                "Documents",
                obj.invoices.select_related("customer").order_by("-total"),
                [
                    Column(str, "Document", link=True),
                    "customer",
                    "po_number",
                    Column("net", money="currency"),
                    Column("tax", money="currency"),
                    Column("total", money="currency"),
                    "state",
                ],
                href=fmt.list_url(Invoice, run__id__exact=obj.pk),
                empty="None yet.",
                note="Largest first.",
            ),
            Panel(
                "Jobs",
                _jobs(obj),
                ["kind", "state", "phase", "current", "total", "started_at", "finished_at"],
                empty="None yet: calculation and posting are jobs, with progress.",
            ),
        ]

    def timeline_related(self, obj: BillRun) -> list[tuple[str, Any]]:
        return [("Finding", BillRunFinding.history.filter(run_id=obj.pk, history_type="~"))]


@admin.register(BillRunFinding)
class FindingAdmin(RecordAdmin):
    area, icon, nav_position = "Billing", "fact_check", 15
    nav_title = "Run findings"
    list_display = ["message", "kind", "severity", "customer", "amount", "run", "acknowledged_by"]
    list_select_related = ["customer", "run", "acknowledged_by", "invoice"]
    list_filter = ["severity", "code", "run__state"]
    search_fields = ["message", "customer__name", "run__number"]
    acts = [
        Act(
            "acknowledge",
            "Acknowledge",
            "billing.services.findings.acknowledge",
            duty="billing.run.acknowledge",
            reason="required",
            bulk=True,
            unavailable=lambda row, user: (
                ["It is acknowledged already."]
                if row.acknowledged_at
                else ["A blocker is cured, not acknowledged."]
                if row.severity == "blocker"
                else []
            ),
            description="Say why it is all right.",
        )
    ]
    empty_text = "Nothing was found in any run."

    @admin.display(description="Kind", ordering="code")
    def kind(self, obj: BillRunFinding) -> str:
        return fmt.words(obj.code)

    def facts(self, obj: BillRunFinding) -> list[Fact]:
        return [
            Fact("Run", obj.run),
            Fact("Customer", obj.customer),
            Fact("Document", obj.invoice),
            Fact("At stake", fmt.money(obj.amount, obj.currency)),
            Fact("Meaning", format_html("{}", CHECKS[obj.code].meaning)),
        ]

    def panels(self, obj: BillRunFinding) -> list[Panel]:
        if not obj.working:
            return []
        return [
            Panel(
                "Both workings",
                obj.working["steps"],
                [
                    Column("name", "Step"),
                    Column("drafted", "Draft"),
                    Column("recalculated", "Recalculated"),
                    Column(lambda row: _verdict(row, obj.working["first"]), ""),
                ],
                link_rows=False,
                note="From the calendar to the amount; what follows the first difference comes from it.",
            )
        ]


def _verdict(step: dict[str, Any], first: str) -> str:
    if step["same"]:
        return "agrees"
    return "first difference" if step["name"] == first else "differs"
