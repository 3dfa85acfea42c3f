"""What the partners app publishes. Aggregate: the agreement or the channel."""

REGISTERED = "partners.registration.received"
AGREEMENT_ACTIVATED = "partners.agreement.activated"
AGREEMENT_ENDED = "partners.agreement.ended"
BREAK_RAISED = "partners.break.raised"
SETTLEMENT_POSTED = "partners.settlement.posted"
