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
NEUTRAL = ["access.signin.unlock"]

ACTS = {"SEC.ROLES": [Act("access.rolegrant", "insert"), Act("access.roleduty", "edit")]}
