"""Refunds: a second person up to a limit; more people for more money, for another account, and in haste."""

from __future__ import annotations

from typing import Any

from billing.selectors.refunds import PAYEE
from o2c.controls.approvals.declaring import bands, rule, step
from o2c.controls.approvals.registry import Act, Lineage, in_functional

# When it was drafted, which only history tells reliably.
_DRAFTED = "(SELECT min(h.history_date) FROM billing_historicalrefund h WHERE h.id = r.id)"

# The latest money that this pays back: of the receipt, or of what paid the credited invoice. Value dates.
_CAME_IN = """coalesce(p.received_on, (
    SELECT max(q.received_on) FROM billing_application a JOIN billing_receipt q ON q.id = a.receipt_id
    WHERE a.invoice_id = m.corrects_id AND a.kind = 'receipt' AND a.reverses_id IS NULL))"""

# Several small refunds are one large one: what the payer was paid back in the thirty days before the draft,
# as far as it was released before this one. Their applications say when, which the database itself wrote.
_THIRTY_DAYS = f"""(SELECT sum({
    in_functional("f.amount", "f.currency", "e.currency", "f.refund_on")
}::numeric)::text
    FROM billing_refund f WHERE f.entity_id = r.entity_id AND (f.id = r.id
      OR f.state IN ('released', 'paid') AND (f.customer_id = r.customer_id OR f.receipt_id = r.receipt_id)
         AND EXISTS (SELECT FROM billing_application x
           WHERE x.refund_id = f.id AND x.recorded_at > {_DRAFTED} - interval '30 days'
             AND x.id < coalesce((SELECT min(y.id) FROM billing_application y WHERE y.refund_id = r.id),
                                 9223372036854775807))))"""

REFUND_FACTS = f"""
SELECT jsonb_build_object(
  'amount', {in_functional("r.amount", "r.currency", "e.currency", "r.refund_on")},
  'thirty_days', {_THIRTY_DAYS},
  'functional_currency', e.currency, 'refund', r.amount::text, 'currency', r.currency,
  'customer', coalesce(c.number || ' ' || c.name, 'payer not identified'),
  'source', coalesce(p.number, m.number), 'reason_code', r.reason_code, 'refund_on', r.refund_on::text,
  'days_held', coalesce(least(r.refund_on, {_DRAFTED}::date) - {_CAME_IN}, 9999)::text,
  'payee', {PAYEE}, 'method', r.method, 'payee_name', r.payee_name, 'payee_account', r.payee_account,
  'payee_routing', r.payee_routing, 'payee_swift', r.payee_swift,
  'processor_reference', r.processor_reference,
  'owes', CASE WHEN EXISTS (SELECT FROM billing_invoice i WHERE i.customer_id = r.customer_id
      AND i.entity_id = r.entity_id AND i.currency = r.currency AND i.state = 'posted'
      AND i.channel = 'direct' AND i.total > i.applied AND i.total > 0 AND i.due_date < r.refund_on)
    THEN 'yes' ELSE 'no' END)
FROM billing_refund r JOIN ledger_legalentity e ON e.id = r.entity_id
LEFT JOIN orders_customer c ON c.id = r.customer_id LEFT JOIN billing_receipt p ON p.id = r.receipt_id
LEFT JOIN billing_invoice m ON m.id = r.credit_memo_id WHERE r.id = $1
"""

_WRITTEN = (
    "amount", "refund_on", "reason_code", "receipt_id", "credit_memo_id", "method", "payee_name",
    "payee_account", "payee_routing", "payee_swift", "processor_reference",
)  # fmt: skip

ACTS = [
    Act(
        code="billing.refund.release",
        label="Release a refund",
        model="billing.Refund",
        service="billing.services.refunds.release",
        duty="billing.refund.draft",
        does="billing.refund.release",
        facts=REFUND_FACTS,
        table="billing_refund",
        reached="{row}.state IN ('released', 'paid')",
        lineage=(Lineage("billing.Refund", "h.id = $1", _WRITTEN),),
        labels={
            "amount": "Amount in functional currency",
            "thirty_days": "With the payer's other refunds of 30 days",
            "functional_currency": "Functional currency",
            "refund": "Refund",
            "currency": "Currency",
            "customer": "Customer",
            "source": "Pays back",
            "reason_code": "Reason",
            "refund_on": "Dated",
            "days_held": "Days since the money came in",
            "payee": "Account, against that it was paid from",
            "method": "Way",
            "payee_name": "Payee",
            "payee_account": "Account",
            "payee_routing": "Routing number",
            "payee_swift": "BIC",
            "processor_reference": "Payment at the processor",
            "owes": "Owes us what is past due",
        },
    )
]

_WATCHES = (
    ("thirty_days", "up"), ("customer", "change"), ("source", "change"), ("refund_on", "change"),
    ("payee", "change"), ("method", "change"), ("payee_name", "change"), ("payee_account", "change"),
    ("payee_routing", "change"), ("payee_swift", "change"), ("processor_reference", "change"),
    ("days_held", "down"), ("owes", "change"),
)  # fmt: skip

POLICIES: dict[str, dict[str, Any]] = {
    "billing.refund.release": {
        "title": "Refunds by amount, account and haste",
        "clause": (
            "A refund up to 1,000 to the account that the money came from is released by a second person, who"
            " neither handles cash nor enters orders (S11, S18, S22, S45). Above, an approver decides with"
            " its effects in front of them; above 25,000 the controller too. What counts is the sum of the"
            " payer's refunds of 30 days. An approver also decides when the account is another one or not"
            " known, when the money came in less than 14 days ago, and when the customer owes us what is past"
            " due; above 1,000, to another account or within 14 days, the controller too. Amounts in the"
            " functional currency of the entity."
        ),
        "bands": bands(
            "thirty_days", ("1000", ()), ("25000", ("approver",)), (None, ("approver", "controller"))
        ),
        "rules": [
            rule(
                "account",
                "Does not go back to the account that the money is known to come from",
                ("approver",),
                ("payee", "!=", "same"),
            ),
            rule(
                "other_account",
                "Goes to another account, above 1,000",
                ("approver", "controller"),
                ("payee", "=", "other"),
                ("thirty_days", ">", "1000"),
            ),
            rule("early", "The money came in less than 14 days ago", ("approver",), ("days_held", "<", "14")),
            rule(
                "early_large",
                "Above 1,000, and the money came in less than 14 days ago",
                ("approver", "controller"),
                ("days_held", "<", "14"),
                ("thirty_days", ">", "1000"),
            ),
            rule("owes", "The customer owes us what is past due", ("approver",), ("owes", "=", "yes")),
        ],
        "steps": [
            step("approver", "Approver", "billing.refund.release", *_WATCHES),
            step("controller", "Controller", "billing.refund.approve_large", *_WATCHES),
        ],
    }
}
