"""Duties of the console itself. What is behind the pages is guarded by the apps' own duties."""

DUTIES = {
    "console.list.export": "Export lists to Excel",
    "console.job.manage": "Cancel jobs that wait, and ask for failed ones again",
}

_EXPORTERS = (
    "deal_desk",
    "order_management",
    "billing_ops",
    "collections",
    "revenue_accounting",
    "partner_ops",
    "approver",
    "auditor",
    "controller",
)

ROLE_DUTIES = {role: ["console.list.export"] for role in _EXPORTERS} | {"admin": ["console.job.manage"]}
