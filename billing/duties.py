"""Every act of billing that needs a duty, and the personas that hold it.

Maker and checker: billing operations calculates a run and drafts documents; approvers and
controllers release what others made, approvers post it. Receiving cash, applying it and crediting are three
people; a refund is drafted by whoever credits, released by an approver, and found on the bank's statement by
whoever receives cash.
"""

RUNS = {
    "billing.run.plan": "Plan a bill run: entity, currency, through date",
    "billing.run.calculate": "Calculate a bill run: draft its invoices",
    "billing.run.recalculate": "Discard the drafts of a bill run, to calculate it again",
    "billing.run.acknowledge": "Acknowledge a finding of a bill run",
    "billing.run.release": "Release a bill run that somebody else calculated",
    "billing.run.release_large": "Approve the release of a bill run above the approver's limit",
    "billing.run.post": "Post a released bill run: number its invoices, write its journals",
    "billing.run.finish": "Close a bill run whose drafts are all posted",
    "billing.run.cancel": "Cancel a bill run before anything is posted",
}

USAGE = {
    "billing.usage.ingest": "Send usage events",
    "billing.usage.retract": "Retract usage events that did not happen",
    "billing.usage.retry": "Retry a parked usage event",
    "billing.usage.reject": "Reject a parked usage event, with the reason",
}

DOCUMENTS = {
    "billing.invoice.draft": "Draft an invoice by hand",
    "billing.invoice.post": "Post an invoice that somebody else drafted",
    "billing.invoice.void": "Void a posted invoice in its open period",
    "billing.invoice.render": "Make the PDF of a posted document",
    "billing.credit.draft": "Draft a credit memo for a posted invoice",
    "billing.credit.post": "Post a credit memo that somebody else drafted",
    "billing.credit.approve_large": "Approve a credit memo above the approver's limit",
    "billing.dispute.open": "Open a dispute of an invoice or a line",
    "billing.dispute.accept": "Accept a dispute and draft its credit memo",
    "billing.dispute.reject": "Reject a dispute: the invoice stands",
    "billing.dispute.withdraw": "Record that the customer withdrew a dispute",
    "billing.tax.maintain": "Load tax rates",
}

CASH = {
    "billing.receipt.record": "Record money received",
    "billing.receipt.identify": "Say whose an unidentified receipt is",
    "billing.receipt.apply": "Apply receipts and credit memos to invoices",
    "billing.receipt.unapply": "Undo an application",
    "billing.receipt.reverse": "Reverse a receipt that the bank took back",
    "billing.shortpay.accept": "Accept a short payment, with its reason",
    "billing.shortpay.approve": "Approve a short payment above the limit of collections",
    "billing.writeoff.propose": "Ask for a write-off",
    "billing.writeoff.post": "Write off what will not be paid",
    "billing.marketplace.settle": "Settle invoices by what a marketplace collected and kept",
}

REFUNDS = {
    "billing.refund.draft": "Draft a refund of a receipt or a credit memo, and change the draft",
    "billing.refund.cancel": "Cancel the draft of a refund",
    "billing.refund.release": "Release a refund that somebody else drafted",
    "billing.refund.approve_large": "Agree to a refund above the approver's limit",
    "billing.refund.record_paid": "Record that the bank paid a refund",
    "billing.refund.record_failure": "Record that the bank refused a refund or sent it back",
    "billing.refund.reveal": "See where a refund is paid to in clear, with a reason that is kept",
}

DELIVERY = {
    "billing.delivery.queue": "Queue documents for delivery",
    "billing.delivery.send": "Send a queued document",
    "billing.delivery.record": "Record that a message left",
    "billing.delivery.record_failure": "Record that a message was refused",
    "billing.delivery.record_bounce": "Record that a message came back",
    "billing.delivery.sweep": "Find deliveries whose worker died",
    "billing.delivery.retry": "Send a document again after a failure",
    "billing.delivery.abandon": "Give a delivery up",
}

COLLECTIONS = {
    "billing.dunning.send": "Send reminders by the dunning plan",
    "billing.dunning.maintain": "Change the levels of the dunning plan",
}

GRANTS = {
    "billing.grant.open": "Open the credit that an order sold",
    "billing.grant.propose": "Ask for promotional credit",
    "billing.grant.promote": "Give a customer promotional credit",
    "billing.grant.withdraw": "Withdraw promotional credit",
    "billing.grant.expire": "Settle credit that ended: carry over or expire",
}

TOTALS = {"billing.usage.repair": "Set hourly usage totals to the sum of their events"}

COMPARE = {"billing.contract.compare": "Compare billed periods of open contracts with today's rating"}

DUTIES = {
    **USAGE, **GRANTS, **TOTALS, **COMPARE, **RUNS, **DOCUMENTS, **CASH, **REFUNDS, **DELIVERY, **COLLECTIONS,
}  # fmt: skip

_SENDING = [
    "billing.invoice.render",
    "billing.delivery.queue",
    "billing.delivery.send",
    "billing.delivery.record",
    "billing.delivery.record_failure",
]

ROLE_DUTIES = {
    "billing_ops": [
        *USAGE,
        *COMPARE,
        "billing.run.plan",
        "billing.run.calculate",
        "billing.run.recalculate",
        "billing.run.acknowledge",
        "billing.run.post",
        "billing.run.finish",
        "billing.run.cancel",
        "billing.invoice.draft",
        "billing.credit.draft",
        "billing.refund.draft",
        "billing.refund.cancel",
        "billing.dispute.accept",
        "billing.grant.open",
        "billing.grant.expire",
        "billing.grant.propose",
        "billing.delivery.record_bounce",
        "billing.delivery.retry",
        "billing.delivery.abandon",
        *_SENDING,
    ],
    "master_data": ["billing.tax.maintain"],
    "cash_receipts": [
        "billing.receipt.record",
        "billing.receipt.reverse",
        "billing.refund.record_paid",
        "billing.refund.record_failure",
    ],
    "collections": [
        "billing.receipt.identify",
        "billing.receipt.apply",
        "billing.receipt.unapply",
        "billing.shortpay.accept",
        "billing.writeoff.propose",
        "billing.dispute.open",
        "billing.dispute.reject",
        "billing.dispute.withdraw",
        "billing.delivery.retry",
        "billing.dunning.send",
        "billing.dunning.maintain",
    ],
    "approver": [
        "billing.run.release",
        "billing.invoice.post",
        "billing.invoice.void",
        "billing.credit.post",
        "billing.shortpay.approve",
        "billing.writeoff.post",
        "billing.refund.release",
        "billing.refund.cancel",
        "billing.refund.reveal",
        "billing.grant.promote",
        "billing.grant.withdraw",
    ],
    # Opens and closes periods, so posts nothing into them (S34): approves what is large, and others post it.
    "controller": [
        "billing.run.release",
        "billing.run.release_large",
        "billing.credit.approve_large",
        "billing.refund.approve_large",
        "billing.refund.reveal",
        "billing.shortpay.approve",
        *TOTALS,
    ],
    "metering": ["billing.usage.ingest", "billing.usage.retract"],
    "bank": ["billing.receipt.record"],
    "partner_ops": ["billing.marketplace.settle"],
    "marketplace": ["billing.marketplace.settle"],
    "automation": [
        "billing.marketplace.settle",
        "billing.grant.open",
        "billing.grant.expire",
        *USAGE,
        *COMPARE,
        "billing.run.plan",
        "billing.run.calculate",
        "billing.run.post",
        "billing.run.finish",
        "billing.receipt.record",
        "billing.receipt.apply",
        "billing.delivery.sweep",
        "billing.dunning.send",
        *_SENDING,
    ],
}
