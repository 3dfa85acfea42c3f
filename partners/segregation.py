"""Which function of the segregation matrix each duty of partners belongs to."""

from o2c.controls.sod.declare import Act

FUNCTIONS = {
    "MD.CONTRACT": ["partners.agreement.open", "partners.agreement.activate"],
    "PAR.ONBOARD": ["partners.channel.maintain"],
    "REC.PREP": ["partners.break.work"],
    "REC.REVIEW": ["partners.break.resolve"],
}

NEUTRAL = [
    "partners.agreement.identify",
    "partners.agreement.end",
    "partners.registration.receive",
    "partners.registration.claim",
    # Frozen hours and feeds: machine facts, read back from the marketplace and reconciled by legs.
    "partners.metering.freeze",
    "partners.metering.send",
    "partners.metering.release",
    "partners.feed.import",
    "partners.feed.resolve_exception",
    "partners.settlement.post",
    "partners.reconciliation.run",
]

LINEAGE = {
    "partners.awsagreement": ["order", "dimensions", "identities", "channel"],
    "partners.break": ["agreement"],
}

ACTS = {
    "MD.CONTRACT": [Act("partners.awsagreement", "insert")],
    "REC.PREP": [Act("partners.break", "move", to=("proposed",))],
    "REC.REVIEW": [Act("partners.break", "move", to=("resolved",))],
}
