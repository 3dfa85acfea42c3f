"""The ledger's acts under approval: where customers are told to pay (S42)."""

from __future__ import annotations

from typing import Any

from o2c.controls.approvals.registry import Act

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
    )
]

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
    }
}
