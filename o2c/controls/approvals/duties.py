"""Asking, deciding, delegating; writing the rules is apart from putting them in force (S48)."""

DUTIES = {
    "approvals.request.submit": "Ask for approval of an act that one may ask for, recall it, ask again",
    "approvals.request.decide": "Decide requests whose step one holds the duty for",
    "approvals.delegation.give": "Let somebody else decide while one is away",
    "approvals.policy.draft": "Draft approval policies",
    "approvals.policy.activate": "Put an approval policy in force that somebody else drafted",
    "approvals.calendar.maintain": "Maintain the holidays of the business calendar",
    "approvals.timer.run": "Remind, escalate and expire requests",
}

_ASKING = ["approvals.request.submit"]
_DECIDING = ["approvals.request.decide", "approvals.delegation.give"]
_MAKERS = (
    "deal_desk",
    "master_data",
    "credit",
    "order_entry",
    "revenue_policy",
    "order_management",
    "billing_ops",
    "collections",
    "revenue_accounting",
    "partner_ops",
)

ROLE_DUTIES = {
    **dict.fromkeys(_MAKERS, _ASKING),
    "approver": [*_ASKING, *_DECIDING],
    "controller": [*_ASKING, *_DECIDING, "approvals.policy.activate"],
    "admin": ["approvals.policy.draft", "approvals.calendar.maintain"],
    "automation": ["approvals.timer.run", "approvals.request.submit"],
}
