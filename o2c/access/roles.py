"""The roles that ship: one per persona. Which acts belong to a role is said by each app's `duties.py`;
here stands which apps the persona may look into."""

from __future__ import annotations

from dataclasses import dataclass

EVERYTHING = "*"


@dataclass(frozen=True)
class ShippedRole:
    """`sees` holds app labels whose reading duty the role has, or EVERYTHING."""

    code: str
    name: str
    description: str
    sees: tuple[str, ...]


SHIPPED: tuple[ShippedRole, ...] = (
    ShippedRole("deal_desk", "Deal desk", "Prices and shapes deals.", ("orders", "approvals", "breakglass")),
    ShippedRole(
        "master_data",
        "Master data",
        "Keeps customers and tax rates; enters no orders and bills nothing.",
        ("orders", "billing", "approvals", "breakglass"),
    ),
    ShippedRole(
        "credit",
        "Credit management",
        "Decides what customers may owe, holds their orders and releases them; keeps no customers.",
        ("orders", "billing", "approvals", "breakglass"),
    ),
    ShippedRole(
        "order_entry",
        "Order entry",
        "Turns signed deals into draft orders and amendments.",
        ("orders", "billing", "documents", "approvals", "breakglass"),
    ),
    ShippedRole(
        "order_management",
        "Order management",
        "Checks and activates what others entered, applies amendments, provisions.",
        ("orders", "billing", "documents", "approvals", "breakglass"),
    ),
    ShippedRole(
        "billing_ops",
        "Billing operations",
        "Usage, bill runs, findings, credits, delivery.",
        ("orders", "billing", "partners", "ledger", "documents", "outbox", "approvals", "breakglass"),
    ),
    ShippedRole(
        "cash_receipts",
        "Cash receipts",
        "Records the money that came in, and nothing else.",
        ("orders", "billing", "partners", "approvals", "breakglass"),
    ),
    ShippedRole(
        "collections",
        "Collections and cash application",
        "Applies receipts, works overdue accounts and disputes.",
        ("orders", "billing", "ledger", "documents", "approvals", "breakglass"),
    ),
    ShippedRole(
        "revenue_policy",
        "Revenue policy",
        "Says how revenue is recognised and what things sell for by themselves; posts nothing.",
        ("orders", "revenue", "approvals", "breakglass"),
    ),
    ShippedRole(
        "revenue_accounting",
        "Revenue accounting",
        "Contracts, allocation, schedules, close, export.",
        ("orders", "billing", "revenue", "ledger", "documents", "approvals", "breakglass"),
    ),
    ShippedRole(
        "partner_ops",
        "Partner operations",
        "Marketplace metering, feeds, reconciliation, onboarding.",
        ("orders", "billing", "partners", "documents", "approvals", "breakglass"),
    ),
    ShippedRole(
        "approver",
        "Approver",
        "Signs off with the effect in front of them.",
        ("orders", "billing", "revenue", "partners", "ledger", "documents", "approvals", "breakglass", "sod"),
    ),
    ShippedRole("auditor", "Auditor", "Sees everything, changes nothing.", (EVERYTHING,)),
    ShippedRole(
        "controller",
        "Controller",
        "Releases, closes and signs the books.",
        (EVERYTHING,),
    ),
    ShippedRole(
        "admin",
        "Administrator",
        "People, roles and tokens; the running of the system. No financial duty.",
        ("access", "outbox", "invariants", "runtime", "console", "approvals", "breakglass", "audit", "sod"),
    ),
    # Machines. The accounts that hold them: o2c/access/services/accounts.py.
    ShippedRole("automation", "Automation", "The product's own tasks and event handlers.", (EVERYTHING,)),
    ShippedRole(
        "crm", "CRM integration", "Customers, signed deals, orders, invoices read.", ("orders", "billing")
    ),
    ShippedRole("metering", "Metering integration", "Sends usage events.", ("billing",)),
    ShippedRole("bank", "Bank integration", "Reports money received.", ("billing",)),
    ShippedRole("provisioning", "Provisioning integration", "Reports what was provisioned.", ("orders",)),
    ShippedRole("marketplace", "Marketplace integration", "Metering and settlement feeds.", ("partners",)),
)
