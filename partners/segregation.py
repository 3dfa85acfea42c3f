"""Which function of the segregation matrix each duty of partners belongs to."""

from o2c.controls.sod.declare import Act

FUNCTIONS = {
    "MD.CONTRACT": ["partners.agreement.open", "partners.agreement.activate"],
    "PAR.ONBOARD": ["partners.channel.maintain"],
    "MD.BANK_PARTNER": ["partners.bank.maintain"],
    # What a marketplace gives back it keeps from our next payment: money of ours goes out. What we give back
    # in our own books is the credit memo beside it, which has its own functions in billing.
    "PAY.PREP": ["partners.refund.draft"],
    "PAY.RELEASE": ["partners.refund.approve", "partners.refund.approve_large"],
    "CASH.ENTER": ["partners.bank.record_credit"],
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
    # Decides requests only; whoever changes the details is kept apart by the request itself.
    "partners.bank.approve",
    # Reads; every reading is on record.
    "partners.bank.reveal",
    # Carries out what another person approved, to the cent, or takes back what has not left.
    "partners.refund.submit",
    "partners.refund.cancel",
]

LINEAGE = {
    "partners.awsagreement": ["order", "dimensions", "identities", "channel"],
    "partners.break": ["agreement"],
    "partners.marketplacerefund": [
        "agreement",
        "agreement__channel",
        "agreement__order",
        "agreement__customer",
    ],
}

ACTS = {
    "MD.CONTRACT": [
        Act("partners.awsagreement", "insert"),
        Act("partners.awsagreement", "move", to=("active",)),
    ],
    "PAR.ONBOARD": [Act("partners.channel", "insert")],
    "MD.BANK_PARTNER": [Act("partners.channel", "edit")],
    "PAY.PREP": [Act("partners.marketplacerefund", "insert")],
    "PAY.RELEASE": [Act("partners.marketplacerefund", "move", to=("approved",))],
    "CASH.ENTER": [Act("partners.bankcredit", "insert")],
    "REC.PREP": [Act("partners.break", "move", to=("proposed",))],
    "REC.REVIEW": [Act("partners.break", "move", to=("resolved",))],
}
