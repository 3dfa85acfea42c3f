"""What emergency access never lends, for the service and for the table."""

# What rules the rules is never lent, nor what proves them: policies, exceptions, people and roles, this
# itself, seals, anchors and self-tests.
NOT_LENT = ("approvals", "sod", "access", "breakglass", "audit", "selftest", "invariants")
# Reading what is kept from most, by other names than '….read'.
READING = ("ledger.bank.reveal", "console.list.export", "scenarios.deal.preview")
