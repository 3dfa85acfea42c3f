"""Acts of partners under approval: a channel's bank details (S43), refunds that it is asked for (S45)."""

from __future__ import annotations

from typing import Any

from o2c.controls.approvals.declaring import bands, rule, step
from o2c.controls.approvals.registry import Act, Lineage, in_functional

BANK = ("bank_name", "bank_account", "bank_routing", "swift")

BANK_FACTS = """
SELECT jsonb_build_object('partner', c.code || ' ' || c.name, 'bank_name', c.bank_name,
  'bank_account', c.bank_account, 'bank_routing', c.bank_routing, 'swift', c.swift)
FROM partners_channel c WHERE c.id = $1
"""

REFUND_FACTS = f"""
SELECT jsonb_build_object(
  'amount', {in_functional("r.amount", "r.currency", "e.currency", "r.requested_on")},
  'functional_currency', e.currency, 'refund', r.amount::text, 'currency', r.currency,
  'customer', c.number || ' ' || c.name, 'agreement', a.number, 'invoice', r.invoice_ref,
  'reason_code', r.reason_code, 'description', r.description,
  'days_back', greatest(r.requested_on - b.invoiced_on, 0)::text)
FROM partners_marketplacerefund r JOIN partners_awsagreement a ON a.id = r.agreement_id
JOIN ledger_legalentity e ON e.id = a.entity_id JOIN orders_customer c ON c.id = a.customer_id
CROSS JOIN LATERAL partners_refundable(r.agreement_id, r.invoice_ref) b
WHERE r.id = $1
"""

ACTS = [
    Act(
        code="partners.bank.change",
        label="Change the bank details of a partner",
        model="partners.Channel",
        service="partners.services.banks.change",
        duty="partners.bank.maintain",
        does="partners.bank.maintain",
        runs_as="maker",
        facts=BANK_FACTS,
        table="partners_channel",
        changes=BANK,
        proposes=True,
        secret=("bank_account", "bank_routing"),
        amount="",
        labels={
            "partner": "Partner",
            "bank_name": "Bank",
            "bank_account": "Account",
            "bank_routing": "Routing number",
            "swift": "BIC",
        },
    ),
    Act(
        code="partners.refund.approve",
        label="Ask a marketplace for a refund",
        model="partners.MarketplaceRefund",
        service="partners.services.refunds.approve",
        duty="partners.refund.draft",
        does="partners.refund.approve",
        facts=REFUND_FACTS,
        table="partners_marketplacerefund",
        reached="{row}.state IN ('approved', 'submitted', 'confirmed')",
        lineage=(
            Lineage(
                "partners.MarketplaceRefund",
                "h.id = $1",
                ("agreement_id", "invoice_ref", "amount", "currency", "reason_code", "description"),
            ),
        ),
        labels={
            "amount": "Amount in functional currency",
            "functional_currency": "Functional currency",
            "refund": "Refund before tax",
            "currency": "Currency",
            "customer": "Customer",
            "agreement": "Agreement",
            "invoice": "Invoice at AWS",
            "reason_code": "Reason",
            "description": "What went wrong",
            "days_back": "Days since the invoice",
        },
    ),
]

_REFUND_WATCHES = (
    ("amount", "up"), ("agreement", "change"), ("invoice", "change"), ("reason_code", "change"),
    ("days_back", "up"),
)  # fmt: skip
_BOTH = ("approver", "controller")

POLICIES: dict[str, dict[str, Any]] = {
    "partners.bank.change": {
        "title": "Bank details of partners",
        "clause": (
            "The bank details of a partner are changed by two people, and three days after the controller"
            " agreed: a change made in haste or by deceit can still be stopped (S43)."
        ),
        "cooling_hours": 72,
        "rules": [
            rule("always", "It says whose money we take for theirs", ("controller",), ("partner", "!=", ""))
        ],
        "steps": [
            step(
                "controller",
                "Controller",
                "partners.bank.approve",
                *((name, "change") for name in ("partner", *BANK)),
            )
        ],
    },
    "partners.refund.approve": {
        "title": "Marketplace refunds by amount",
        "clause": (
            "A refund up to 1,000 is approved by a second person (S45). Above, an approver decides with the"
            " invoice in front of them; above 25,000, and for an invoice of more than 60 days ago, the"
            " controller too. Amounts in the functional currency of the entity."
        ),
        "bands": bands("amount", ("1000", ()), ("25000", ("approver",)), (None, _BOTH)),
        "rules": [rule("old", "The invoice is more than 60 days old", _BOTH, ("days_back", ">", "60"))],
        "steps": [
            step("approver", "Approver", "partners.refund.approve", *_REFUND_WATCHES),
            step("controller", "Controller", "partners.refund.approve_large", *_REFUND_WATCHES),
        ],
    },
}
