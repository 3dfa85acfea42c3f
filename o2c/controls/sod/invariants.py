"""What must hold about who holds what, also when an exception has ended since."""

from o2c.invariants import invariant


@invariant(
    "sod.nobody-holds-both-sides", "Nobody holds both sides of a rule without an exception that is in force."
)
def nobody_holds_both_sides() -> str:
    return """
        SELECT u.username, c.rule, c.duty_a, c.role_a, c.duty_b, c.role_b
        FROM o2c_sod_conflicts(ARRAY(SELECT id FROM access_user), NULL, '{}') c
        JOIN access_user u ON u.id = c.person
    """
