"""Asking, authorising, reviewing: three people (S51). What may be lent is said in `services.py`."""

DUTIES = {
    "breakglass.session.request": "Ask for emergency access, and end one's own",
    "breakglass.session.authorise": "Open emergency access for somebody else, or refuse it",
    "breakglass.session.review": "Review what somebody else did under emergency access",
}

_ASKS = ["breakglass.session.request"]
_ROLES = (
    "order_management",
    "billing_ops",
    "collections",
    "revenue_accounting",
    "partner_ops",
    "credit",
    "order_entry",
)

ROLE_DUTIES = {
    **dict.fromkeys(_ROLES, _ASKS),
    "approver": ["breakglass.session.authorise", "breakglass.session.review"],
    "controller": ["breakglass.session.authorise", "breakglass.session.review"],
}
