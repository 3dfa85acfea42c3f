"""Which function of the segregation matrix each duty of billing belongs to; what documents are made of."""

from o2c.controls.sod.declare import Act, Link

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
    # A refund is a credit, too: neither whoever enters orders nor whoever handles cash drafts or releases it.
    "BIL.CREDIT": [
        "billing.credit.draft",
        "billing.dispute.accept",
        "billing.grant.propose",
        "billing.refund.draft",
    ],
    "PAY.PREP": ["billing.refund.draft"],
    "PAY.RELEASE": ["billing.refund.release", "billing.refund.approve_large"],
    "BIL.CREDIT_APPROVE": ["billing.credit.post"],
    "CRD.AUTHORISE": [
        "billing.credit.approve_large",
        "billing.refund.release",
        "billing.refund.approve_large",
        "billing.shortpay.approve",
        "billing.grant.promote",
        "billing.grant.withdraw",
    ],
    "CASH.ENTER": [
        "billing.receipt.record",
        "billing.receipt.reverse",
        "billing.refund.record_paid",
        "billing.refund.record_failure",
    ],
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
    # Takes a draft back: no money moves. Whoever might have released it may say no.
    "billing.refund.cancel",
    # Reads; every reading is on record.
    "billing.refund.reveal",
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
        "customer__contacts",
        "customer__tax_registrations",
        "run",
        "entity",
        "corrects",
        "settled_disputes",
        "corrects__applications__receipt",
    ],
    "billing.application": [
        "receipt",
        "invoice",
        "credit_memo",
        "invoice__applications__receipt",
        "invoice__credit_memos",
    ],
    "billing.receipt": ["applications", "customer__invoices"],
    "billing.grant": ["customer__orders", "customer__receipts", "customer__invoices__applications"],
    "billing.refund": [
        "receipt",
        "receipt__applications",
        "credit_memo",
        "credit_memo__order",
        "credit_memo__corrects__order",
        "customer",
    ],
    "billing.dispute": ["invoice", "credit_memo"],
    "billing.invoicedelivery": ["invoice", "invoice__entity", "invoice__customer"],
}

# When the drafts of a run were calculated: the first row of history after it was planned for the last time.
_CALCULATED = """(SELECT min(c.history_date) FROM billing_historicalbillrun c
  WHERE c.id = {run}.id AND c.state = 'calculated' AND c.history_id > (
    SELECT coalesce(max(d.history_id), 0) FROM billing_historicalbillrun d
    WHERE d.id = {run}.id AND d.state = 'planned'))"""

# What was changed about usage enters the next run over it: the run was calculated afterwards, and no run that
# is released already took it in (S40). `when` and `used_on` say when it was changed and when it was used.
_ENTERS = """{calculated} >= {when} AND NOT EXISTS (
  SELECT 1 FROM billing_billrun p WHERE p.id <> s.id AND p.kind = 'regular'
    AND p.state IN ('released', 'posting', 'posted') AND p.through > {used_on}
    AND (p.entity_id IS NULL OR p.entity_id = s.entity_id) AND p.currency IN ('', s.currency)
    AND {taken_in} >= {when} AND {taken_in} < {calculated})"""


def _enters(when: str, used_on: str) -> str:
    calculated, taken_in = _CALCULATED.format(run="s"), _CALCULATED.format(run="p")
    return _ENTERS.format(calculated=calculated, taken_in=taken_in, when=when, used_on=used_on)


_OF_CUSTOMER = """(s.entity_id IS NULL
  OR NOT EXISTS (SELECT 1 FROM orders_customer k WHERE k.number = t.customer_number)
  OR EXISTS (SELECT 1 FROM orders_customer k JOIN orders_order o ON o.customer_id = k.id
             WHERE k.number = t.customer_number AND o.entity_id = s.entity_id))"""
_DECIDED = """(SELECT min(c.history_date) FROM billing_historicalusageexception c
  WHERE c.id = t.id AND c.state <> 'open')"""
_OF_ENTITY = "(s.entity_id IS NULL OR s.entity_id = o.entity_id)"

LINKS = {
    # The period that a document or a settlement by hand is booked in (S34).
    "billing.invoice": [
        Link(
            "ledger.accountingperiod",
            "billing_invoice s JOIN ledger_accountingperiod t ON t.entity_id = s.entity_id"
            " AND s.issue_date >= t.starts_on AND s.issue_date < t.ends_on"
            " AND (s.run_id IS NULL OR s.state = 'void')",
        )
    ],
    "billing.application": [
        Link(
            "ledger.accountingperiod",
            "billing_application s JOIN billing_invoice i ON i.id = s.invoice_id"
            " JOIN ledger_accountingperiod t ON t.entity_id = i.entity_id"
            " AND s.applied_on >= t.starts_on AND s.applied_on < t.ends_on"
            " AND s.kind IN ('short_pay', 'write_off')",
        ),
        # Who asked for a write-off of the invoice (S28).
        Link(
            "approvals.request",
            "billing_application s JOIN approvals_request t ON t.subject_model = 'billing.Invoice'"
            " AND t.subject_id = s.invoice_id AND t.act = 'billing.writeoff.post' AND s.kind = 'write_off'",
        ),
    ],
    "billing.billrun": [
        Link(
            "billing.usageexception",
            "billing_billrun s JOIN billing_usageexception t ON t.state <> 'open'"
            " AND (t.occurred_at IS NULL OR t.occurred_at < s.through + 1)"
            f" AND {_OF_CUSTOMER} AND {_enters(_DECIDED, 'coalesce(t.occurred_at::date, p.through - 1)')}",
            one_way=True,
        ),
        Link(
            "billing.usageretraction",
            "billing_billrun s JOIN billing_usageretraction t ON true"
            " JOIN billing_usageevent e ON e.id = t.event_id JOIN orders_orderline l ON l.id = e.line_id"
            f" JOIN orders_order o ON o.id = l.order_id AND {_OF_ENTITY}"
            f" WHERE {_enters('t.recorded_at', 'e.occurred_at::date')}",
            one_way=True,
        ),
        Link(
            "billing.usagerepair",
            f"billing_billrun s JOIN billing_usagerepair t ON {_enters('t.recorded_at', 'p.through - 1')}",
            one_way=True,
        ),
    ],
}

_CREDIT = ("credit_memo",)
_BILL = ("invoice", "debit_memo")
_DRAFT = ("draft",)

ACTS = {
    "USG.ADJUST": [
        Act("billing.usageexception", "move", to=("accepted", "rejected")),
        Act("billing.usageretraction", "insert"),
        Act("billing.usagerepair", "insert"),
    ],
    "BIL.INVOICE": [
        Act("billing.invoice", "edit", {"kind": _BILL, "state": _DRAFT}),
        Act("billing.billrun", "move", to=("calculated",)),
    ],
    "BIL.POST": [
        Act("billing.invoice", "move", {"kind": _BILL, "run_id": (None,)}, to=("posted",)),
        Act("billing.invoice", "move", {"kind": _BILL}, to=("void",)),
    ],
    "BIL.RUN_APPROVE": [Act("billing.billrun", "move", to=("released",))],
    "BIL.SEND": [Act("billing.invoicedelivery", "move", to=("sent",))],
    "BIL.CREDIT": [
        Act("billing.invoice", "edit", {"kind": _CREDIT, "state": _DRAFT}),
        Act("billing.refund", "edit", {"state": _DRAFT}),
    ],
    "PAY.PREP": [Act("billing.refund", "edit", {"state": _DRAFT})],
    "PAY.RELEASE": [Act("billing.refund", "move", to=("released",))],
    "BIL.CREDIT_APPROVE": [
        Act("billing.invoice", "move", {"kind": _CREDIT, "run_id": (None,)}, to=("posted",))
    ],
    "CASH.ENTER": [Act("billing.receipt", "insert"), Act("billing.refund", "move", to=("paid", "failed"))],
    # Cash only: a credit memo is set against its invoice by whoever posts it.
    "CASH.APPLY": [Act("billing.application", "insert", {"kind": ("receipt",)})],
    "CRD.AUTHORISE": [
        Act("billing.grant", "insert", {"origin": ("promotional",)}),
        Act("billing.refund", "move", to=("released",)),
    ],
    "COL.DUNNING": [Act("billing.dunninglevel", "edit"), Act("billing.dunningnotice", "insert")],
    "MD.TAX": [Act("billing.taxrate", "edit")],
    "WO.PROPOSE": [Act("approvals.request", "insert", {"act": ("billing.writeoff.post",)})],
    "WO.APPROVE": [Act("billing.application", "insert", {"kind": ("short_pay", "write_off")})],
}
