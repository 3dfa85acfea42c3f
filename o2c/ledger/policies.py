"""The ledger's acts under approval: where customers are told to pay (S42)."""

from __future__ import annotations

from typing import Any

from o2c.controls.approvals.declaring import bands, step
from o2c.controls.approvals.registry import Act, Lineage, in_functional

BANK = ("bank_name", "bank_account", "bank_routing", "swift")

ACTS = [
    Act(
        code="ledger.entity.change_bank",
        label="Change the bank details that customers pay to",
        model="ledger.LegalEntity",
        service="o2c.ledger.services.change_bank",
        duty="ledger.entity.maintain",
        does="ledger.entity.maintain",
        runs_as="maker",
        facts="""
SELECT jsonb_build_object('entity', e.code || ' ' || e.legal_name, 'bank_name', e.bank_name,
  'bank_account', e.bank_account, 'bank_routing', e.bank_routing, 'swift', e.swift)
FROM ledger_legalentity e WHERE e.id = $1
""",
        table="ledger_legalentity",
        changes=BANK,
        proposes=True,
        secret=("bank_account", "bank_routing"),
        amount="",
        labels={
            "entity": "Entity",
            "bank_name": "Bank",
            "bank_account": "Account",
            "bank_routing": "Routing number",
            "swift": "BIC",
        },
    ),
    Act(
        code="ledger.journal.post",
        label="Post a manual journal",
        model="ledger.ManualJournal",
        service="o2c.ledger.manual.post",
        duty="ledger.journal.prepare",
        does="ledger.journal.post",
        facts=f"""
SELECT jsonb_build_object(
  'amount', {
            in_functional(
                "coalesce((SELECT sum(l.debit) FROM ledger_manualline l WHERE l.journal_id = m.id), 0)",
                "m.currency",
                "e.currency",
                "m.posting_date",
            )
        },
  'functional_currency', e.currency, 'currency', m.currency, 'entity', e.code || ' ' || e.legal_name,
  'posting_date', m.posting_date::text, 'memo', m.memo, 'support', m.support,
  'days_back', greatest((m.created_at AT TIME ZONE 'UTC')::date - m.posting_date, 0)::text,
  'lines', coalesce((SELECT jsonb_object_agg(n::text, a.code || ' ' || a.name || ': debit ' || l.debit::text
                            || ', credit ' || l.credit::text)
    FROM (SELECT x.*, row_number() OVER (ORDER BY x.id) AS n FROM ledger_manualline x
          WHERE x.journal_id = m.id) l JOIN ledger_account a ON a.id = l.account_id), '{{}}'))
FROM ledger_manualjournal m JOIN ledger_legalentity e ON e.id = m.entity_id WHERE m.id = $1
""",
        table="ledger_manualjournal",
        reached="{row}.state = 'posted'",
        lineage=(
            Lineage(
                "ledger.ManualJournal",
                "h.id = $1",
                ("entity_id", "currency", "posting_date", "memo", "support", "prepared_by_id"),
            ),
            Lineage("ledger.ManualLine", "h.journal_id = $1", ("account_id", "debit", "credit")),
        ),
        labels={
            "amount": "Amount in functional currency",
            "functional_currency": "Functional currency",
            "currency": "Currency",
            "entity": "Entity",
            "posting_date": "Booked on",
            "memo": "What for",
            "support": "Support",
            "days_back": "Days before it was drafted",
            "lines": "Lines",
        },
    ),
]

_JOURNAL_WATCHES = (
    ("amount", "up"), ("lines", "change"), ("posting_date", "change"), ("entity", "change"),
    ("support", "change"),
)  # fmt: skip

POLICIES: dict[str, dict[str, Any]] = {
    "ledger.entity.change_bank": {
        "title": "Remit-to bank details",
        "clause": (
            "Bank details on our invoices are changed by two people who send none, and three days after the"
            " second one agreed: a change made in haste or by deceit can still be stopped (S42)."
        ),
        "cooling_hours": 72,
        "rules": [
            {
                "code": "always",
                "because": "It says where all customers pay",
                "when": [{"path": "entity", "op": "!=", "value": ""}],
                "steps": ["approver"],
            }
        ],
        "steps": [
            {
                "code": "approver",
                "title": "Approver of bank details",
                "duty": "ledger.entity.approve_bank",
                "approvers": 1,
                "watches": [{"path": name, "worse": "change"} for name in ("entity", *BANK)],
            }
        ],
    },
    "ledger.journal.post": {
        "title": "Manual journals",
        "clause": (
            "No manual journal is posted by whoever prepared it (S32). An approver decides about"
            " each, with its"
            " support; above 100,000 in functional currency the controller, who closes the period,"
            " agrees too."
        ),
        "bands": bands("amount", ("100000", ("approver",)), (None, ("approver", "controller"))),
        "steps": [
            step("approver", "Approver", "ledger.journal.post", *_JOURNAL_WATCHES),
            step("controller", "Controller", "ledger.journal.approve_large", *_JOURNAL_WATCHES),
        ],
    },
}
