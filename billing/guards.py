"""What the database holds about billing: states that were decided, journals of events that happened."""

from billing.policies import ACTS
from billing.postings import RULE_OF_KIND
from o2c.controls.approvals.sql import act_triggers
from o2c.ledger.sources import Source, journal_guard, recorded, written

SOURCES = (
    Source("billing.invoice", ("invoice.posted",), written("billing_invoice", "e.state = 'posted'")),
    Source("billing.invoice", ("invoice.voided",), written("billing_invoice", "e.state = 'void'")),
    Source("billing.receipt", ("receipt.recorded",), written("billing_receipt", "e.state = 'recorded'")),
    Source("billing.receipt", ("receipt.reversed",), written("billing_receipt", "e.state = 'reversed'")),
    *(
        Source("billing.application", (rule,), recorded("billing_application", f"e.kind = '{kind}'"))
        for kind, rule in RULE_OF_KIND.items()
    ),
    Source("billing.refund", ("refund.released",), written("billing_refund", "e.state = 'released'")),
    Source("billing.refund", ("refund.paid",), written("billing_refund", "e.state = 'paid'")),
    Source(
        "billing.refund",
        ("refund.failed", "refund.returned"),
        written("billing_refund", "e.state = 'failed'"),
    ),
)

TRIGGERS = [
    journal_guard("billing", SOURCES),
    *(trigger for act in ACTS for trigger in act_triggers(act)),
]
