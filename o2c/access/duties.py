DUTIES = {
    "access.user.maintain": "Create people and service accounts, and disable them",
    "access.role.maintain": "Define roles: which duties belong together",
    "access.role.grant": "Give a role to somebody else, and take it away",
    "access.grant.approve": "Agree to a role for somebody else that governs the controls",
    "access.grant.end_of_leavers": "End what people hold who left",
    "access.token.issue": "Issue and revoke tokens of service accounts",
    "access.signin.unlock": "Lift a lock-out after failed sign-ins",
}

ROLE_DUTIES = {
    "admin": [duty for duty in DUTIES if not duty.startswith("access.grant.")],
    "controller": ["access.grant.approve"],
    "automation": ["access.grant.end_of_leavers"],
}
