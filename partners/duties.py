"""Acts of the partners app that need a duty, and the personas that hold them.

Maker and checker: partner operations works and proposes; a break is closed by an approver or a controller, a
refund is approved by them, bank details by the controller.
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

BANKS = {
    "partners.bank.maintain": "Ask for a change of a partner's bank details",
    "partners.bank.approve": "Approve a change of a partner's bank details",
    "partners.bank.reveal": "See a partner's bank details in clear, with a reason that is kept",
    "partners.bank.record_credit": "Record what our bank says of a marketplace payment",
}

REFUNDS = {
    "partners.refund.draft": "Draft a refund that the marketplace is asked to give a buyer",
    "partners.refund.approve": "Approve a marketplace refund that somebody else drafted",
    "partners.refund.approve_large": "Agree to a large or an old marketplace refund",
    "partners.refund.submit": "Hand approved refunds to the marketplace, and read its answers in",
    "partners.refund.cancel": "Cancel a marketplace refund that the marketplace does not have yet",
}

DUTIES = {**CHANNELS, **METERING, **MONEY, **BANKS, **REFUNDS}

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
        "partners.bank.maintain",
        "partners.refund.draft",
        "partners.refund.submit",
        "partners.refund.cancel",
    ],
    "cash_receipts": ["partners.bank.record_credit"],
    "billing_ops": ["partners.break.work"],
    "approver": ["partners.break.resolve", "partners.refund.approve"],
    "controller": [
        "partners.break.resolve",
        "partners.bank.approve",
        "partners.bank.reveal",
        "partners.refund.approve_large",
    ],
    "marketplace": [
        "partners.registration.receive",
        "partners.registration.claim",
        "partners.agreement.identify",
        *_DAILY,
    ],
    "automation": [*_DAILY, "partners.agreement.end"],
}
