"""Which function of the segregation matrix each duty of billing belongs to; what documents are made of."""

from o2c.controls.sod.declare import Act

FUNCTIONS = {
    "USG.ADJUST": [
        "billing.usage.retry",
        "billing.usage.reject",
        "billing.usage.repair",
        "billing.usage.retract",
    ],
    "BIL.INVOICE": [
        "billing.invoice.draft",
        "billing.run.plan",
        "billing.run.calculate",
        "billing.run.recalculate",
    ],
    "BIL.POST": ["billing.invoice.post", "billing.invoice.void"],
    "BIL.RUN_APPROVE": ["billing.run.release", "billing.run.release_large"],
    "BIL.SEND": ["billing.delivery.queue", "billing.delivery.send", "billing.delivery.retry"],
    "BIL.CREDIT": ["billing.credit.draft", "billing.dispute.accept", "billing.grant.propose"],
    "BIL.CREDIT_APPROVE": ["billing.credit.post"],
    "CRD.AUTHORISE": [
        "billing.credit.approve_large",
        "billing.shortpay.approve",
        "billing.grant.promote",
        "billing.grant.withdraw",
    ],
    "CASH.ENTER": ["billing.receipt.record", "billing.receipt.reverse"],
    "CASH.APPLY": ["billing.receipt.apply", "billing.receipt.unapply", "billing.receipt.identify"],
    "WO.PROPOSE": ["billing.writeoff.propose"],
    "WO.APPROVE": ["billing.writeoff.post", "billing.shortpay.accept"],
    "COL.DUNNING": ["billing.dunning.send", "billing.dunning.maintain"],
    "MD.TAX": ["billing.tax.maintain"],
}

NEUTRAL = [
    # Looks and records; nothing is billed by it.
    "billing.contract.compare",
    # The machine's own intake; deduplicated and counted, and no person holds it beside an adjustment.
    "billing.usage.ingest",
    # Carries out what another person released: number for number, or not at all.
    "billing.run.post",
    "billing.run.finish",
    # Credit that an order sold, opened and ended by its own terms.
    "billing.grant.open",
    "billing.grant.expire",
    "billing.run.cancel",
    "billing.run.acknowledge",
    "billing.invoice.render",
    # Against the marketplace's own statement, which the feed proves.
    "billing.marketplace.settle",
    "billing.dispute.open",
    "billing.dispute.reject",
    "billing.dispute.withdraw",
    "billing.delivery.record",
    "billing.delivery.record_failure",
    "billing.delivery.record_bounce",
    "billing.delivery.sweep",
    "billing.delivery.abandon",
]

LINEAGE = {
    "billing.billrun": ["findings"],
    "billing.invoice": [
        "lines",
        "order",
        "order__lines",
        "customer",
        "run",
        "entity",
        "corrects",
        "settled_disputes",
    ],
    "billing.application": [
        "receipt",
        "invoice",
        "credit_memo",
        "invoice__applications__receipt",
        "invoice__credit_memos",
    ],
    "billing.receipt": ["applications"],
    "billing.dispute": ["invoice", "credit_memo"],
    "billing.invoicedelivery": ["invoice", "invoice__entity", "invoice__customer"],
}

_CREDIT = ("credit_memo",)
_BILL = ("invoice", "debit_memo")
_DRAFT = ("draft",)

ACTS = {
    "USG.ADJUST": [Act("billing.usageexception", "move", to=("accepted", "rejected"))],
    "BIL.INVOICE": [
        Act("billing.invoice", "edit", {"kind": _BILL, "state": _DRAFT}),
        Act("billing.billrun", "move", to=("calculated",)),
    ],
    "BIL.POST": [Act("billing.invoice", "move", {"kind": _BILL, "run_id": (None,)}, to=("posted",))],
    "BIL.RUN_APPROVE": [Act("billing.billrun", "move", to=("released",))],
    "BIL.SEND": [Act("billing.invoicedelivery", "move", to=("sent",))],
    "BIL.CREDIT": [Act("billing.invoice", "edit", {"kind": _CREDIT, "state": _DRAFT})],
    "BIL.CREDIT_APPROVE": [
        Act("billing.invoice", "move", {"kind": _CREDIT, "run_id": (None,)}, to=("posted",))
    ],
    "CASH.ENTER": [Act("billing.receipt", "insert")],
    # Cash only: a credit memo is set against its invoice by whoever posts it.
    "CASH.APPLY": [Act("billing.application", "insert", {"kind": ("receipt",)})],
    "WO.APPROVE": [Act("billing.application", "insert", {"kind": ("short_pay", "write_off")})],
}
