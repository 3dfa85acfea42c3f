"""What the database holds about billing: states that were decided, journals of events that happened."""

from billing.policies import ACTS
from o2c.controls.approvals.sql import act_triggers
from o2c.ledger.sources import Source, journal_guard, recorded, written

INVOICE = ("billing_invoice", "billing_historicalinvoice")
RECEIPT = ("billing_receipt", "billing_historicalreceipt")
REFUND = ("billing_refund", "billing_historicalrefund")

# An application is undone by another one that reverses it, under a rule of the same name.
KINDS = {
    "receipt": "receipt.applied",
    "credit_memo": "credit_memo.applied",
    "short_pay": "short_pay.accepted",
    "write_off": "write_off.posted",
}

SOURCES = (
    Source("billing.invoice", ("invoice.posted",), written(*INVOICE, "e.state = 'posted'")),
    Source("billing.invoice", ("invoice.voided",), written(*INVOICE, "e.state = 'void'")),
    Source("billing.receipt", ("receipt.recorded",), written(*RECEIPT, "e.state = 'recorded'")),
    Source("billing.receipt", ("receipt.reversed",), written(*RECEIPT, "e.state = 'reversed'")),
    *(
        Source("billing.application", (rule,), recorded("billing_application", f"e.kind = '{kind}'"))
        for kind, rule in KINDS.items()
    ),
    Source("billing.refund", ("refund.released",), written(*REFUND, "e.state = 'released'")),
    Source("billing.refund", ("refund.paid",), written(*REFUND, "e.state = 'paid'")),
    Source("billing.refund", ("refund.failed", "refund.returned"), written(*REFUND, "e.state = 'failed'")),
)

TRIGGERS = [
    journal_guard("billing", SOURCES),
    *(trigger for act in ACTS for trigger in act_triggers(act)),
]
