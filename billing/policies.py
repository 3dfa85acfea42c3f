"""Acts of billing under approval, and the policies that ship for them.

Below the lowest band the second person whom the service and the table want anyway is the control; above it a
request with its effects is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from billing import policy_grants, policy_refunds
from o2c.controls.approvals.registry import Act, Lineage, in_functional

# A credit that was drafted in a bill run, and was released with it as it is now, was approved with the run.
# History says so: a run that is written into a document afterwards is no run that released it.
_RELEASED = """EXISTS (
    SELECT 1 FROM billing_historicalbillrun b CROSS JOIN LATERAL (
      SELECT h.run_id, h.total FROM billing_historicalinvoice h
      WHERE h.id = i.id AND h.history_date < b.history_date ORDER BY h.history_id DESC LIMIT 1) h
    WHERE b.id = i.run_id AND b.state = 'released' AND h.run_id = i.run_id AND h.total = i.total)"""


def _unasked(act: str, row: str) -> str:
    """SQL: what was done as this row was done without a request. Splitting a sum does not make it smaller."""
    return (
        f"NOT EXISTS (SELECT FROM approvals_request q WHERE q.act = {act} AND q.result_id = {row}"
        " AND q.state = 'committed')"
    )


_POSTED = """coalesce((SELECT min(h.history_date) FROM billing_historicalinvoice h
    WHERE h.id = {0}.id AND h.state = 'posted'), 'infinity')"""

_CREDITS_BEFORE = f"""(SELECT coalesce(sum(-x.total), 0) FROM billing_invoice x
    WHERE x.corrects_id = i.corrects_id AND x.id <> i.id AND x.kind = 'credit_memo' AND x.state = 'posted'
      AND ({_POSTED.format("x")}, x.id) < ({_POSTED.format("i")}, i.id)
      AND NOT {_RELEASED.replace("i.", "x.")} AND {_unasked("'billing.credit.post'", "x.id")})"""

CREDIT_FACTS = f"""
SELECT jsonb_build_object(
  'amount', CASE WHEN {_RELEASED} THEN '0'
            ELSE {
    in_functional(f"({_CREDITS_BEFORE} - i.total)", "i.currency", "e.currency", "i.issue_date")
} END,
  'before', {_CREDITS_BEFORE}::text,
  'functional_currency', e.currency, 'total', (-i.total)::text, 'net', (-i.net)::text,
  'currency', i.currency, 'customer', c.number || ' ' || c.name, 'corrects', coalesce(o.number, ''),
  'reason_code', i.reason_code, 'issue_date', i.issue_date::text,
  'months_back', (extract(year FROM i.issue_date) * 12 + extract(month FROM i.issue_date)
                  - extract(year FROM coalesce(o.issue_date, i.issue_date)) * 12
                  - extract(month FROM coalesce(o.issue_date, i.issue_date)))::int::text,
  'lines', coalesce((SELECT jsonb_object_agg(l.position::text,
      l.description || ': ' || (-l.net)::text || ' + tax ' || (-l.tax)::text)
    FROM billing_invoiceline l WHERE l.invoice_id = i.id), '{{}}'))
FROM billing_invoice i JOIN ledger_legalentity e ON e.id = i.entity_id
JOIN orders_customer c ON c.id = i.customer_id LEFT JOIN billing_invoice o ON o.id = i.corrects_id
WHERE i.id = $1
"""

# What was given up on the same invoice before, by the same act, without anybody having been asked.
_EXPENSES_BEFORE = f"""(SELECT coalesce(sum(x.amount), 0) FROM billing_application x
    WHERE x.invoice_id = a.invoice_id AND x.kind = a.kind AND x.id < a.id AND x.amount > 0
      AND NOT EXISTS (SELECT FROM billing_application y WHERE y.reverses_id = x.id)
      AND {
    _unasked(
        "CASE a.kind WHEN 'write_off' THEN 'billing.writeoff.post' ELSE 'billing.shortpay.accept' END", "x.id"
    )
})"""

EXPENSE_FACTS = f"""
SELECT jsonb_build_object(
  'amount', {in_functional(f"(a.amount + {_EXPENSES_BEFORE})", "i.currency", "e.currency", "a.applied_on")},
  'functional_currency', e.currency, 'written_off', a.amount::text, 'before', {_EXPENSES_BEFORE}::text,
  'currency', i.currency,
  'invoice', i.number, 'customer', c.number || ' ' || c.name, 'reason_code', a.reason_code,
  'applied_on', a.applied_on::text)
FROM billing_application a JOIN billing_invoice i ON i.id = a.invoice_id
JOIN ledger_legalentity e ON e.id = i.entity_id JOIN orders_customer c ON c.id = i.customer_id
WHERE a.id = $1
"""

# Credits do not make a run smaller: what it issues counts, in either direction.
RUN_FACTS = f"""
SELECT jsonb_build_object(
  'amount', coalesce((SELECT sum(v.amount::numeric) FROM (
      SELECT {in_functional("sum(abs(i.total))", "i.currency", "e.currency", "r.issue_on")} AS amount
      FROM billing_invoice i JOIN ledger_legalentity e ON e.id = i.entity_id
      WHERE i.run_id = r.id GROUP BY i.currency, e.currency) v), 0)::text,
  'functional_currency', coalesce((SELECT min(e.currency) FROM billing_invoice i
      JOIN ledger_legalentity e ON e.id = i.entity_id WHERE i.run_id = r.id), ''),
  'documents', (SELECT count(*) FROM billing_invoice i WHERE i.run_id = r.id)::text,
  'findings', (SELECT count(*) FROM billing_billrunfinding f WHERE f.run_id = r.id)::text,
  'number', r.number, 'through', r.through::text, 'issue_on', r.issue_on::text, 'drafts', r.digest)
FROM billing_billrun r WHERE r.id = $1
"""

EXPENSE: dict[str, Callable[[str], Any]] = {"amount": Decimal, "applied_on": dt.date.fromisoformat}
_MONEY = {"amount": "Amount in functional currency", "functional_currency": "Functional currency"}
_EXPENSE_LABELS = {
    **_MONEY,
    "written_off": "Amount",
    "before": "Given up on the invoice before, without a request",
    "currency": "Currency",
    "invoice": "Invoice",
    "customer": "Customer",
    "reason_code": "Reason",
    "applied_on": "Dated",
}


ACTS = [
    Act(
        code="billing.credit.post",
        label="Post a credit memo",
        model="billing.Invoice",
        service="billing.services.invoices.post",
        duty="billing.credit.draft",
        does="billing.credit.post",
        facts=CREDIT_FACTS,
        table="billing_invoice",
        reached="{row}.kind = 'credit_memo' AND {row}.state = 'posted'",
        lineage=(
            Lineage(
                "billing.Invoice",
                "h.id = $1",
                (
                    "total",
                    "net",
                    "tax",
                    "currency",
                    "customer_id",
                    "corrects_id",
                    "reason_code",
                    "issue_date",
                ),
            ),
            Lineage("billing.InvoiceLine", "h.invoice_id = $1", ("net", "tax", "description", "credits_id")),
        ),
        labels={
            **_MONEY,
            "total": "Credit",
            "before": "Credited on the invoice before, without a request",
            "net": "Net",
            "currency": "Currency",
            "customer": "Customer",
            "corrects": "Corrects",
            "reason_code": "Reason",
            "issue_date": "Dated",
            "months_back": "Months since the invoice",
            "lines": "Lines",
        },
    ),
    Act(
        code="billing.writeoff.post",
        label="Write off what will not be paid",
        model="billing.Invoice",
        service="billing.services.applications.write_off",
        duty="billing.writeoff.propose",
        does="billing.writeoff.post",
        facts=EXPENSE_FACTS,
        table="billing_application",
        reached="{row}.kind = 'write_off' AND {row}.amount > 0",
        proposes=True,
        parameters=EXPENSE,
        labels=_EXPENSE_LABELS,
        form="billing.admin.forms.WriteOffForm",
    ),
    Act(
        code="billing.shortpay.accept",
        label="Accept a short payment",
        model="billing.Invoice",
        service="billing.services.applications.accept_short_payment",
        duty="billing.shortpay.accept",
        does="billing.shortpay.accept",
        runs_as="maker",
        facts=EXPENSE_FACTS,
        table="billing_application",
        reached="{row}.kind = 'short_pay' AND {row}.amount > 0",
        proposes=True,
        parameters=EXPENSE,
        labels=_EXPENSE_LABELS,
        form="billing.admin.forms.ShortPayForm",
    ),
    Act(
        code="billing.run.release",
        label="Release a bill run",
        model="billing.BillRun",
        service="billing.services.runs.release",
        duty="billing.run.calculate",
        does="billing.run.release",
        facts=RUN_FACTS,
        table="billing_billrun",
        reached="{row}.state IN ('released', 'posting', 'posted')",
        lineage=(
            Lineage(
                "billing.BillRun",
                "h.id = $1",
                (
                    "entity_id",
                    "currency",
                    "through",
                    "issue_on",
                    "digest",
                    "planned_by_id",
                    "calculated_by_id",
                ),
            ),
        ),
        labels={
            **_MONEY,
            "documents": "Documents",
            "findings": "Findings",
            "number": "Run",
            "through": "Bills service before",
            "issue_on": "Documents dated",
            "drafts": "Fingerprint of the drafts",
        },
    ),
]


def _step(code: str, title: str, duty: str, *watches: tuple[str, str]) -> dict[str, Any]:
    return {
        "code": code,
        "title": title,
        "duty": duty,
        "approvers": 1,
        "watches": [{"path": path, "worse": worse} for path, worse in watches],
        "remind_hours": 8,
        "escalate_hours": 16,
        "expire_hours": 80,
    }


_CREDIT_WATCHES = (
    ("amount", "up"),
    ("customer", "change"),
    ("corrects", "change"),
    ("reason_code", "change"),
    ("issue_date", "change"),
    ("lines", "change"),
)
_EXPENSE_WATCHES = (
    ("amount", "up"),
    ("invoice", "change"),
    ("reason_code", "change"),
    ("applied_on", "change"),
)
_RUN_WATCHES = (("amount", "up"), ("drafts", "change"))

POLICIES: dict[str, dict[str, Any]] = {
    "billing.credit.post": {
        "title": "Credit memos by amount",
        "clause": (
            "A credit memo up to 5,000 is posted by a second person. Above, an approver decides with its"
            " effects in front of them; above 50,000, and for an invoice of more than three months ago, the"
            " controller too. What was credited on the same invoice before, without a request, counts with"
            " it. Amounts in the functional currency of the entity."
        ),
        "bands": {
            "path": "amount",
            "levels": [
                {"up_to": "5000", "steps": []},
                {"up_to": "50000", "steps": ["approver"]},
                {"up_to": None, "steps": ["approver", "controller"]},
            ],
        },
        "rules": [
            {
                "code": "old",
                "because": "Corrects an invoice of more than three months ago",
                "when": [
                    {"path": "months_back", "op": ">", "value": "3"},
                    {"path": "amount", "op": ">", "value": "1000"},
                ],
                "steps": ["approver", "controller"],
            }
        ],
        "steps": [
            _step("approver", "Approver", "billing.credit.post", *_CREDIT_WATCHES),
            _step("controller", "Controller", "billing.credit.approve_large", *_CREDIT_WATCHES),
        ],
    },
    "billing.writeoff.post": {
        "title": "Write-offs by amount",
        "clause": (
            "Who proposes a write-off does not approve it (S28). The controller writes off up to 250 of an"
            " invoice alone; above, somebody else proposes and the controller decides."
        ),
        "bands": {
            "path": "amount",
            "levels": [{"up_to": "250", "steps": []}, {"up_to": None, "steps": ["controller"]}],
        },
        "steps": [_step("controller", "Controller", "billing.writeoff.post", *_EXPENSE_WATCHES)],
    },
    "billing.shortpay.accept": {
        "title": "Short payments by amount",
        "clause": (
            "Collections accept up to 100 less than an invoice says, with the reason; above, an approver who"
            " does not handle cash decides (S22)."
        ),
        "bands": {
            "path": "amount",
            "levels": [{"up_to": "100", "steps": []}, {"up_to": None, "steps": ["approver"]}],
        },
        "steps": [_step("approver", "Approver", "billing.shortpay.approve", *_EXPENSE_WATCHES)],
    },
    "billing.run.release": {
        "title": "Release of bill runs by amount",
        "clause": (
            "A bill run is released by somebody who neither planned nor calculated it. One above 10 million"
            " in functional currency is released by an approver and the controller."
        ),
        "bands": {
            "path": "amount",
            "levels": [
                {"up_to": "10000000", "steps": []},
                {"up_to": None, "steps": ["approver", "controller"]},
            ],
        },
        "steps": [
            _step("approver", "Approver", "billing.run.release", ("amount", "up"), ("drafts", "change")),
            _step(
                "controller",
                "Controller",
                "billing.run.release_large",
                ("amount", "up"),
                ("drafts", "change"),
            ),
        ],
    },
}

ACTS += policy_grants.ACTS + policy_refunds.ACTS
POLICIES |= policy_grants.POLICIES | policy_refunds.POLICIES
