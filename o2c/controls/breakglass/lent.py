"""What emergency access never lends, for the service and for the table."""

# What rules the rules is never lent, nor what proves them: policies, exceptions, people and roles, this
# itself, seals, anchors and self-tests.
NOT_LENT = ("approvals", "sod", "access", "breakglass", "audit", "selftest", "invariants")
# Reading, by the last word of the duty.
READING = ("read", "reveal", "export", "preview")
# Second halves whose function has the first half too.
SECOND = ("orders.price.activate",)
