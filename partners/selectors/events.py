"""Billing events as they stand: newest version of each, with the agreement and order they belong to.

An event that AWS deleted stands at zero, so that what was posted for it is taken back.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from partners.domain.balance import Event

AGREEMENT_OF = """coalesce(
    (SELECT i.agreement_id FROM partners_agreementidentity i
     WHERE c.agreement_ref <> '' AND i.agreement_ref = c.agreement_ref
     ORDER BY i.id DESC LIMIT 1),
    (SELECT i.agreement_id FROM partners_agreementidentity i
     WHERE i.product_id = c.product_id AND c.product_id <> '' AND i.aws_account_id <> ''
       AND i.aws_account_id IN (
         c.from_account_id, c.end_user_account_id,
         (SELECT r.data ->> 'aws_account_id' FROM partners_feedrow r
          WHERE r.feed = 'account' AND r.channel_id = c.channel_id
            AND r.natural_key = coalesce(nullif(c.end_user_account_id, ''), c.from_account_id)
          ORDER BY r.valid_from DESC, r.update_date DESC LIMIT 1))
     ORDER BY i.id DESC LIMIT 1))"""
# Agreement of the billing event `c`: by the id that it names, else by the buyer's account and product.

CURRENT = f"""
WITH newest AS (
  SELECT DISTINCT ON (e.billing_event_id) e.*
  FROM partners_billingevent e
  WHERE e.channel_id = %(channel)s AND e.update_date <= coalesce(%(known_at)s, 'infinity'::timestamptz)
  ORDER BY e.billing_event_id, e.update_date DESC, e.id DESC
), current AS (SELECT * FROM newest),
named AS (SELECT c.id, {AGREEMENT_OF} AS agreement_id FROM current c)
SELECT c.id, c.billing_event_id, c.action, c.transaction_type,
       CASE WHEN c.deleted THEN 0 ELSE c.amount END, c.currency, c.parent_id,
       c.disbursement_id, c.balance_impacting,
       CASE WHEN c.action = 'DISBURSED' THEN p.buyer_invoice_id ELSE c.buyer_invoice_id END,
       c.invoiced_at, c.due_at, c.usage_from, c.usage_to, c.acted_at, c.bank_trace_id,
       coalesce(n.agreement_id, pn.agreement_id), a.customer_id, a.entity_id, a.order_id, a.currency
FROM current c
JOIN named n ON n.id = c.id
LEFT JOIN current p ON p.billing_event_id = c.parent_id AND c.parent_id <> ''
LEFT JOIN named pn ON pn.id = p.id
LEFT JOIN partners_awsagreement a ON a.id = coalesce(n.agreement_id, pn.agreement_id)
ORDER BY c.acted_at, c.billing_event_id
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class CurrentEvent:
    """A billing event as known now. `buyer_invoice_id` of a payment line is its parent's."""

    pk: int
    event_id: str
    action: str
    transaction_type: str
    amount: Decimal
    currency: str
    parent_id: str
    disbursement_id: str
    balance_impacting: bool
    buyer_invoice_id: str
    invoiced_at: datetime | None
    due_at: datetime | None
    usage_from: datetime | None
    usage_to: datetime | None
    acted_at: datetime
    bank_trace_id: str
    agreement_id: int | None
    customer_id: int | None
    entity_id: int | None
    order_id: int | None

    @property
    def acted_on(self) -> date:
        return self.acted_at.date()

    @property
    def month(self) -> str:
        """Month that the event bills or, without a usage period, the month it happened in."""
        return f"{self.usage_from or self.acted_at:%Y-%m}"

    @property
    def structural(self) -> Event:
        """The event as the balance rules read it."""
        return Event(
            self.event_id,
            self.action,
            self.transaction_type,
            self.amount,
            self.parent_id,
            self.disbursement_id,
            self.balance_impacting,
        )


def current(channel_id: int, *, known_at: datetime | None = None) -> list[CurrentEvent]:
    """Every live billing event of the channel, oldest first; `known_at` reads what was known at a moment.

    One query. A row without currency has its agreement's.
    """
    with connection.cursor() as cursor:
        cursor.execute(CURRENT, {"channel": channel_id, "known_at": known_at})
        return [_event(row) for row in cursor.fetchall()]


def _event(row: tuple[Any, ...]) -> CurrentEvent:
    fields = list(row[:-1])
    fields[5] = fields[5] or row[-1] or "USD"
    fields[9] = fields[9] or ""
    return CurrentEvent(*fields)


OWN_INVOICES = """
SELECT i.id, i.order_id, to_char(l.month, 'YYYY-MM'), l.net, i.currency, i.kind
FROM billing_invoice i
JOIN LATERAL (SELECT date_trunc('month', service_from) AS month, sum(net) AS net
              FROM billing_invoiceline WHERE invoice_id = i.id GROUP BY 1) l ON true
WHERE i.channel = 'aws' AND i.state = 'posted' AND i.order_id = ANY(%s)
ORDER BY i.id, l.month
"""


@dataclass(frozen=True, slots=True)
class OwnInvoice:
    """What a posted invoice or credit memo of ours, that AWS collects, bills of one service month.

    An invoice with late usage bills two months and stands here twice.
    """

    pk: int
    order_id: int
    month: str
    net: Decimal
    currency: str
    kind: str


def own_invoices(order_ids: list[int]) -> list[OwnInvoice]:
    """Our posted documents of channel aws for these orders by service month, in one query."""
    with connection.cursor() as cursor:
        cursor.execute(OWN_INVOICES, [order_ids])
        return [OwnInvoice(*row) for row in cursor.fetchall()]
