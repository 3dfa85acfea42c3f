"""Acts of the partners app that need a duty, and the personas that hold them.

Maker and checker: partner operations works and proposes; a break is closed by an approver or a controller.
"""

CHANNELS = {
    "partners.channel.maintain": "Set up a channel and its capability sheet",
    "partners.agreement.open": "Link a marketplace agreement to an order and its metered dimensions",
    "partners.agreement.identify": "Record a changed id of a marketplace buyer",
    "partners.agreement.activate": "Start metering a marketplace agreement",
    "partners.agreement.end": "End a marketplace agreement",
    "partners.registration.receive": "Resolve a buyer's registration at the marketplace",
    "partners.registration.claim": "Link a registered buyer to an agreement",
}

METERING = {
    "partners.metering.freeze": "Freeze the usage hours that are due",
    "partners.metering.send": "Send frozen usage hours to the marketplace",
    "partners.metering.release": "Send a held usage hour again",
}

MONEY = {
    "partners.feed.import": "Import a marketplace feed file",
    "partners.feed.resolve_exception": "Deal with a feed row that could not be read",
    "partners.settlement.post": "Post marketplace fees, taxes and payments to the ledger",
    "partners.reconciliation.run": "Reconcile a channel: metered, billed, paid",
    "partners.break.work": "Work a break: take it, wait for the channel, propose a resolution",
    "partners.break.resolve": "Close a break that somebody else proposed to close",
}

DUTIES = {**CHANNELS, **METERING, **MONEY}

_DAILY = [
    "partners.metering.freeze",
    "partners.metering.send",
    "partners.feed.import",
    "partners.settlement.post",
    "partners.reconciliation.run",
]

ROLE_DUTIES = {
    "partner_ops": [
        *CHANNELS,
        *_DAILY,
        "partners.metering.release",
        "partners.feed.resolve_exception",
        "partners.break.work",
    ],
    "billing_ops": ["partners.break.work"],
    "approver": ["partners.break.resolve"],
    "controller": ["partners.break.resolve"],
    "marketplace": [
        "partners.registration.receive",
        "partners.registration.claim",
        "partners.agreement.identify",
        *_DAILY,
    ],
    "automation": [*_DAILY, "partners.agreement.end"],
}
