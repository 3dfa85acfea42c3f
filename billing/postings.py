"""Which journal each event of billing makes: the one table to read, and what executes it.

Sources: the event-to-journal table of the revenue reference (rows 2, 8, 12-16, 18-20, 29, 32). Every line
of a receivable carries the document as reference, every line of 2130 the receipt, every line against a
contract the order line; so each balance can be taken apart to what it is made of.

Amounts are signed here: positive debits `debit` and credits `credit`, negative the other way round. A
credit memo is an invoice with negative amounts, a reversal is an application with a negative amount.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from o2c import ledger

CASH = "1000"
RECEIVABLE = "1100"
MARKETPLACE_RECEIVABLE = "1105"
UNBILLED = "1110"
CONTRACT_LIABILITY = "2100"
PREPAID = "2110"
UNAPPLIED = "2130"
REFUNDS_PAYABLE = "2140"
TAX_PAYABLE = "2150"
SERVICES = "4008"
CONCESSIONS = "4920"
CREDIT_LOSS = "6100"
SHORT_PAY = "6110"
REALISED_FX = "7100"

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table. Several accounts on a side are told apart by the conditions in `why`."""

    code: str
    event: str
    debit: tuple[str, ...]
    credit: tuple[str, ...]
    why: str


RULES: dict[str, Rule] = {
    rule.code: rule
    for rule in (
        Rule(
            "invoice.posted",
            "An invoice, or a credit memo with negative amounts, is posted",
            (RECEIVABLE, MARKETPLACE_RECEIVABLE),
            (CONTRACT_LIABILITY, UNBILLED, PREPAID, TAX_PAYABLE, SERVICES, CONCESSIONS),
            "Receivable for the gross (1105 when a marketplace collects). Net per order line: 1110 for what "
            "was used and so already recognised, 2110 for a prepayment drawn down later, 2100 for the rest; "
            "4008 without a contract line; 4920 for a concession, which is not a correction of the bill.",
        ),
        Rule(
            "invoice.voided",
            "A posted document is voided in its open period",
            (CONTRACT_LIABILITY, UNBILLED, PREPAID, TAX_PAYABLE, SERVICES, CONCESSIONS),
            (RECEIVABLE, MARKETPLACE_RECEIVABLE),
            "The exact reversal of invoice.posted, line by line, at its own exchange rate.",
        ),
        Rule("receipt.recorded", "Money came in", (CASH,), (UNAPPLIED,), "On account until it is applied."),
        Rule("receipt.reversed", "The bank took it back", (UNAPPLIED,), (CASH,), "Only while unapplied."),
        Rule(
            "receipt.applied",
            "A receipt settles an invoice",
            (UNAPPLIED,),
            (RECEIVABLE, MARKETPLACE_RECEIVABLE),
            "Each side at the rate at which it is carried; the difference is realised, to 7100.",
        ),
        Rule(
            "credit_memo.applied",
            "A credit memo settles an invoice",
            (RECEIVABLE, MARKETPLACE_RECEIVABLE),
            (RECEIVABLE, MARKETPLACE_RECEIVABLE),
            "Within the receivable: from the memo's reference to the invoice's.",
        ),
        Rule(
            "short_pay.accepted",
            "A short payment is accepted",
            (SHORT_PAY,),
            (RECEIVABLE, MARKETPLACE_RECEIVABLE),
            "With a reason; a contested difference stays in the receivable as a dispute instead.",
        ),
        Rule(
            "write_off.posted",
            "A debt is written off",
            (CREDIT_LOSS,),
            (RECEIVABLE, MARKETPLACE_RECEIVABLE),
            "Direct method, until an allowance (1190) is kept.",
        ),
        Rule(
            "refund.released",
            "A refund is released",
            (UNAPPLIED, RECEIVABLE),
            (REFUNDS_PAYABLE,),
            "As it is released, not as it is paid: from then on it is not the customer's credit but an "
            "order to our bank, so the account of the receipt (or of the credit memo, 1100) goes down in the "
            "moment in which nothing of it can be applied any more. A payable of its own and no clearing "
            "account: what the bank pays in the next month may stand at a close. The credit leaves at what "
            "the books carry it at, the payable is at the rate of the day; the difference is realised.",
        ),
        Rule(
            "refund.paid",
            "The bank paid a refund",
            (REFUNDS_PAYABLE,),
            (CASH,),
            "On the bank's value date, so that 1000 is the statement; cash at the rate of that day.",
        ),
        Rule(
            "refund.failed",
            "The bank refused a refund, or sent it back",
            (REFUNDS_PAYABLE,),
            (UNAPPLIED, RECEIVABLE),
            "The exact reversal of refund.released, at its own exchange rate: the old credit is there again.",
        ),
        Rule(
            "refund.returned",
            "A refund that was paid came back",
            (CASH,),
            (REFUNDS_PAYABLE,),
            "The exact reversal of refund.paid, before that of refund.released.",
        ),
    )
}

# What an application of this kind is posted under; one that reverses another, under the same rule.
RULE_OF_KIND = {
    "receipt": "receipt.applied",
    "credit_memo": "credit_memo.applied",
    "short_pay": "short_pay.accepted",
    "write_off": "write_off.posted",
}

# Why a credit memo was given. A correction mirrors the accounts of the line that it credits; a concession
# gives revenue away that was rightly billed.
CORRECTIONS: dict[str, str] = {
    "billing_error": "Billed in error",
    "price_correction": "Price corrected",
    "quantity_correction": "Quantity corrected",
    "cancellation": "Service cancelled",
}
CONCESSION_REASONS: dict[str, str] = {
    "service_credit": "Service level missed",
    "goodwill": "Goodwill",
}
CREDIT_REASONS: dict[str, str] = {**CORRECTIONS, **CONCESSION_REASONS}

# One statement for any number of documents, which `ledger.post_query` writes. Accounts are parameters.
DOCUMENTS = """
WITH legs AS (
  SELECT i.id, CASE i.channel WHEN 'direct' THEN %(receivable)s ELSE %(marketplace)s END AS account,
         i.total AS amount, 'billing.invoice:' || i.id AS reference, 1 AS side
  FROM billing_invoice i WHERE i.id = ANY(%(ids)s)
  UNION ALL
  SELECT i.id,
         CASE WHEN i.reason_code = ANY(%(concession_reasons)s) THEN %(concessions)s
              WHEN l.order_line_id IS NULL THEN %(services)s
              WHEN NOT l.deferred THEN %(unbilled)s
              WHEN l.treatment = 'prepaid_drawdown' THEN %(prepaid)s
              ELSE %(liability)s END,
         -sum(l.net),
         CASE WHEN l.order_line_id IS NULL THEN 'billing.invoice:' || i.id
              ELSE 'order_line:' || l.order_line_id END, 2
  FROM billing_invoice i JOIN billing_invoiceline l ON l.invoice_id = i.id WHERE i.id = ANY(%(ids)s)
  GROUP BY 1, 2, 4
  UNION ALL
  SELECT i.id, %(tax)s, -i.tax, 'billing.invoice:' || i.id, 3
  FROM billing_invoice i WHERE i.id = ANY(%(ids)s)
)
SELECT i.entity_id, i.currency, i.issue_date, i.issue_date, 'billing.invoice:' || i.id, 'invoice.posted',
       'billing.invoice:' || i.id, i.number, g.account, greatest(g.amount, 0), greatest(-g.amount, 0),
       i.customer_id, g.reference, NULL::numeric
FROM legs g JOIN billing_invoice i ON i.id = g.id
WHERE g.amount <> 0
ORDER BY g.id, g.side, g.account, g.reference
"""

ACCOUNTS = {
    "receivable": RECEIVABLE,
    "marketplace": MARKETPLACE_RECEIVABLE,
    "concessions": CONCESSIONS,
    "services": SERVICES,
    "unbilled": UNBILLED,
    "prepaid": PREPAID,
    "liability": CONTRACT_LIABILITY,
    "tax": TAX_PAYABLE,
}

REVERSAL = """
SELECT j.entity_id, j.currency, %(on)s::date, %(on)s::date, %(event_key)s, %(rule)s, j.source,
       'reversal ' || j.memo, a.code, l.credit, l.debit, l.party_id, l.reference,
       l.functional_credit - l.functional_debit
FROM ledger_journal j
JOIN ledger_journalline l ON l.journal_id = j.id JOIN ledger_account a ON a.id = l.account_id
WHERE j.event_key = %(reverses)s AND j.rule = %(reverses_rule)s
ORDER BY l.id
"""


def post_documents(ids: Sequence[int]) -> int:
    """Post the journals of these documents, in one statement; the number of journals written."""
    return ledger.post_query(
        DOCUMENTS, {**ACCOUNTS, "ids": list(ids), "concession_reasons": list(CONCESSION_REASONS)}
    )


def post_reversal(*, reverses: str, reverses_rule: str, event_key: str, rule: str, on: dt.date) -> int:
    """Post the exact reversal of a journal, line by line and at its own exchange rates, on the day `on`.

    `reverses` is the event key of the journal, `event_key` that of the event which undoes it.
    """
    parameters = {"on": on, "event_key": event_key, "rule": rule}
    return ledger.post_query(REVERSAL, {**parameters, "reverses": reverses, "reverses_rule": reverses_rule})


@dataclass(frozen=True, slots=True)
class Side:
    """An account, what the line is about, and the carried amount that moves (sign of `amount`) if known."""

    account: str
    reference: str
    functional: Decimal | None = None


def entry(
    rule: str,
    amount: Decimal,
    debit: Side,
    credit: Side,
    *,
    entity_id: int,
    currency: str,
    on: dt.date,
    event_key: str,
    source: str,
    party_id: int | None,
    memo: str = "",
) -> ledger.Entry:
    """The journal of a cash rule: `amount` (signed) from `credit` to `debit`.

    Where the two sides are carried at different exchange rates, the difference is realised to 7100.
    """
    declared = RULES[rule]
    assert debit.account in declared.debit, f"{rule} does not debit {debit.account}"
    assert credit.account in declared.credit, f"{rule} does not credit {credit.account}"
    lines = [_line(debit, amount, party_id, 1), _line(credit, -amount, party_id, -1)]
    assert (debit.functional is None) == (credit.functional is None), "both sides are carried, or neither"
    difference = (credit.functional or ZERO) - (debit.functional or ZERO)
    if difference:
        lines.append(
            ledger.Line(REALISED_FX, party_id=party_id, reference=credit.reference, functional=difference)
        )
    return ledger.Entry(
        entity_id=entity_id,
        currency=currency,
        posting_date=on,
        effective_date=on,
        event_key=event_key,
        rule=rule,
        source=source,
        memo=memo,
        lines=lines,
    )


def _line(side: Side, amount: Decimal, party_id: int | None, sign: int) -> ledger.Line:
    return ledger.Line(
        side.account,
        debit=max(amount, ZERO),
        credit=max(-amount, ZERO),
        party_id=party_id,
        reference=side.reference,
        functional=None if side.functional is None else sign * side.functional,
    )
