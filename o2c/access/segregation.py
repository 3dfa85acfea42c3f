"""People and roles are administration: a function of its own, apart from every financial one (S49)."""

FUNCTIONS = {
    "SEC.ROLES": [
        "access.user.maintain",
        "access.role.maintain",
        "access.role.grant",
        "access.token.issue",
    ]
}
NEUTRAL = ["access.signin.unlock"]
