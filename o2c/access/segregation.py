"""People and roles are administration: a function of its own, apart from every financial one (S49)."""

from o2c.controls.sod.declare import Act

FUNCTIONS = {
    "SEC.ROLES": [
        "access.user.maintain",
        "access.role.maintain",
        "access.role.grant",
        "access.token.issue",
    ],
    "SEC.CERTIFY": ["access.grant.approve"],
}
# Ends a lock-out, and what people held who left: nobody gains by it.
NEUTRAL = ["access.signin.unlock", "access.grant.end_of_leavers"]

ACTS = {
    "SEC.ROLES": [
        Act("access.user", "insert"),
        Act("access.rolegrant", "insert"),
        Act("access.roleduty", "edit"),
        Act("access.authtoken", "insert"),
    ]
}
