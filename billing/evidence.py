"""Controls over bill runs, invoices, credits, write-offs, refunds and usage, as auditors ask about them."""

from __future__ import annotations

from billing.selectors.metered import COUNTED
from o2c.evidence.approved import item, reached, unapproved
from o2c.evidence.registry import Control

_RELEASED = """
FROM billing_billrun r LEFT JOIN access_user c ON c.id = r.calculated_by_id
LEFT JOIN access_user p ON p.id = r.planned_by_id LEFT JOIN access_user u ON u.id = r.released_by_id
WHERE r.released_at >= %(start)s AND r.released_at < %(end)s
"""
_POSTED = """
FROM billing_invoice i JOIN orders_customer c ON c.id = i.customer_id
WHERE i.state IN ('posted', 'void') AND i.posted_at >= %(start)s AND i.posted_at < %(end)s
"""
_CREDITS = f"{_POSTED} AND i.kind = 'credit_memo'"
_GIVEN_UP = """
FROM billing_application a JOIN billing_invoice i ON i.id = a.invoice_id
WHERE a.kind = '{}' AND a.amount > 0 AND a.recorded_at >= %(start)s AND a.recorded_at < %(end)s
"""
_WRITTEN_OFF, _SHORT_PAID = _GIVEN_UP.format("write_off"), _GIVEN_UP.format("short_pay")
_GIVEN = """
FROM billing_grant g JOIN orders_customer c ON c.id = g.customer_id
JOIN LATERAL (SELECT w.* FROM billing_historicalgrant w WHERE w.id = g.id AND w.history_type = '+') h ON true
WHERE g.origin = 'promotional' AND h.history_date >= %(start)s AND h.history_date < %(end)s
"""
_REFUNDED = """
FROM billing_refund f LEFT JOIN billing_receipt r ON r.id = f.receipt_id
LEFT JOIN billing_invoice m ON m.id = f.credit_memo_id
LEFT JOIN orders_customer c ON c.id = f.customer_id
WHERE f.released_at >= %(start)s AND f.released_at < %(end)s
"""

_RECEIVED = """
FROM billing_receipt r JOIN ledger_legalentity e ON e.id = r.entity_id
LEFT JOIN orders_customer c ON c.id = r.customer_id
JOIN LATERAL (SELECT w.* FROM billing_historicalreceipt w WHERE w.id = r.id ORDER BY w.history_id LIMIT 1) h
  ON true
WHERE h.history_date >= %(start)s AND h.history_date < %(end)s
"""

# The lines of orders in service, and before which day each day of service was to be on an invoice: what the
# latest posted run over the customer billed, and in any case what is older than RUNS_FOLLOW. In advance that
# is each period that had begun, in arrears each that had ended.
RUNS_FOLLOW = "45 days"
_LINES = f"""
FROM orders_orderline l JOIN orders_order o ON o.id = l.order_id JOIN orders_sku k ON k.id = l.sku_id
JOIN orders_customer c ON c.id = o.customer_id
LEFT JOIN LATERAL (
  SELECT r.* FROM billing_billrun r WHERE r.kind = 'regular' AND r.state = 'posted' AND r.posted_at < %(end)s
    AND r.currency IN ('', o.currency) AND EXISTS (
      SELECT FROM billing_billrunchunk b WHERE b.run_id = r.id AND b.customer_ids @> to_jsonb(o.customer_id))
  ORDER BY r.through DESC, r.id DESC LIMIT 1) r ON true
CROSS JOIN LATERAL (
  SELECT greatest(r.through, (%(end)s::date - interval '{RUNS_FOLLOW}')::date) AS before) t
CROSS JOIN LATERAL (
  SELECT CASE l.timing WHEN 'advance' THEN t.before ELSE (t.before - CASE
    coalesce(nullif(l.frequency, ''), o.billing_frequency) WHEN 'week' THEN interval '7 days'
    WHEN 'quarter' THEN interval '3 months' WHEN 'half_year' THEN interval '6 months'
    WHEN 'year' THEN interval '1 year' ELSE interval '1 month' END)::date END AS due) d
"""
_WERE_ACTIVE = """
WHERE l.schedule = '[]' AND o.starts_on < %(end)s
  AND least(o.cancelled_on, o.ends_on, 'infinity') >= %(start)s
  AND EXISTS (SELECT FROM orders_historicalorder h WHERE h.id = o.id AND h.state = 'active'
              AND h.history_date < coalesce(r.calculated_at, %(end)s))
"""
_BILLABLE = _LINES + _WERE_ACTIVE
# Segments that were known by then and cost something. What is free, by price or discount, is explained.
_SOLD = """
FROM orders_segment s JOIN orders_price p ON p.id = s.price_id
WHERE s.line_id = l.id AND s.starts_on < d.due AND coalesce(s.ends_on, 'infinity') > s.starts_on
  AND s.created_at < coalesce(r.calculated_at, %(end)s)
  AND NOT s.paused AND s.quantity > 0 AND s.discount_percent < 100
  AND NOT jsonb_path_exists(coalesce(s.price_override, p.spec), '$.** ? (@ == "0" || @ == "0.00")')
"""
# A person answered for it when the run was reviewed.
_UNEXPLAINED = """
  AND NOT EXISTS (SELECT FROM billing_billrunfinding f WHERE f.run_id = r.id AND f.customer_id = o.customer_id
                  AND f.acknowledged_at IS NOT NULL AND t.before <= r.through)
"""


def _joined(population: str, join: str) -> str:
    """The population with one more join in front of its WHERE."""
    return population.replace("WHERE", f"{join}\nWHERE", 1)


# Of a line with a price per period: the days that were to be billed, without those that charges cover.
_GAPS = f"""{_LINES} CROSS JOIN LATERAL (
  SELECT (coalesce((SELECT range_agg(daterange(s.starts_on, least(s.ends_on, d.due))) {_SOLD}), '{{}}')
        - coalesce((SELECT range_agg(daterange(v.covers_from, v.covers_to)) FROM (
            SELECT DISTINCT ON (x.segment_id, x.kind, x.period_from) x.* FROM billing_charge x
            WHERE x.line_id = l.id AND x.kind = 'recurring'
            ORDER BY x.segment_id, x.kind, x.period_from, x.revision DESC) v), '{{}}'))::text AS days) gap
{_WERE_ACTIVE}"""
_RELEASES = item("r.id") + _joined(
    _RELEASED, reached("billing_historicalbillrun", "r.id", "w.state = 'released'")
)
_POSTINGS = item("i.id") + _joined(
    _CREDITS, reached("billing_historicalinvoice", "i.id", "w.state = 'posted'")
)
_REFUNDS = item("f.id") + _joined(
    _REFUNDED, reached("billing_historicalrefund", "f.id", "w.state = 'released'")
)
# Applications are facts: their rows say when, and nobody else can have written them.
_FACT = "SELECT a.id, a.id AS row, a.recorded_at AS at, NULL::bigint AS transaction"
# Whether the customer owed what was past due is of the day of the release; all else of a refund stays.
_OWED = """o2c_facts_billing_refund_release(w.row) || jsonb_build_object('owes', CASE WHEN EXISTS (
  SELECT FROM billing_refund f CROSS JOIN LATERAL (
    SELECT DISTINCT ON (b.id) b.* FROM billing_historicalinvoice b
    WHERE b.customer_id = f.customer_id AND b.entity_id = f.entity_id AND b.currency = f.currency
      AND b.history_date < w.at ORDER BY b.id, b.history_id DESC) b
  WHERE f.id = w.row AND b.state = 'posted' AND b.channel = 'direct' AND b.total > b.applied AND b.total > 0
    AND b.due_date < f.refund_on) THEN 'yes' ELSE 'no' END)"""

CONTROLS = [
    Control(
        code="C-04",
        title="Every line of an active order is billed, or it is explained why not",
        risk="Services are delivered and never billed",
        kind="detective",
        enforced_by="billing.services.runs, the second calculator, tie-outs billing.*, divergences",
        model="orders.OrderLine",
        population=f"""
SELECT l.id, o.number AS "order", l.position, c.number AS customer, k.code AS sku, l.timing, r.number AS run,
       d.due AS billed_before,
       (SELECT coalesce(sum(x.amount), 0) FROM billing_charge x WHERE x.line_id = l.id) AS billed
{_BILLABLE} ORDER BY l.id""",
        exceptions=f"""
SELECT l.id, 'days of service that no charge covers: ' || gap.days AS problem
{_GAPS}
  AND k.kind = 'recurring' AND gap.days <> '{{}}' {_UNEXPLAINED}
UNION ALL SELECT l.id, 'sold once, and never billed' {_BILLABLE}
  AND k.kind IN ('one_time', 'prepaid') AND l.timing = 'advance' AND EXISTS (SELECT {_SOLD})
  AND NOT EXISTS (SELECT FROM billing_charge x WHERE x.line_id = l.id) {_UNEXPLAINED}
UNION ALL SELECT l.id, 'was used, and no charge covers the usage' {_BILLABLE}
  AND k.kind = 'usage' AND EXISTS (SELECT {_SOLD}) AND EXISTS (
    SELECT FROM billing_usagehour h WHERE h.line_id = l.id AND h.quantity > 0 AND {COUNTED}
      AND (h.hour AT TIME ZONE o.time_zone)::date < d.due
      AND NOT EXISTS (SELECT FROM billing_charge x WHERE x.line_id = l.id AND x.kind = 'usage'
                      AND (h.hour AT TIME ZONE o.time_zone)::date >= x.period_from
                      AND (h.hour AT TIME ZONE o.time_zone)::date < x.period_to)) {_UNEXPLAINED}
ORDER BY 1, 2""",
    ),
    Control(
        code="C-05",
        title="A bill run is released by somebody who did not make it",
        risk="Wrong invoices go out unseen",
        kind="preventive",
        enforced_by="policy billing.run.release, check constraint billing_billrun_released_by_second_person",
        model="billing.BillRun",
        population=f"""
SELECT r.id, r.number, r.state, r.through, p.username AS planned_by, c.username AS calculated_by,
       u.username AS released_by, r.released_at,
       (SELECT count(*) FROM billing_invoice i WHERE i.run_id = r.id) AS invoices
{_RELEASED} ORDER BY r.id""",
        exceptions=f"""
SELECT r.id, 'released by ' || u.username || ', who made it' AS problem {_RELEASED}
  AND r.released_by_id IN (r.planned_by_id, r.calculated_by_id)
UNION ALL SELECT r.id, 'a finding that asks for an answer was left open' {_RELEASED}
  AND EXISTS (SELECT FROM billing_billrunfinding f WHERE f.run_id = r.id AND f.severity <> 'info'
              AND (f.acknowledged_at IS NULL OR f.acknowledged_at > r.released_at))
UNION ALL {unapproved("billing.run.release", _RELEASES)}
ORDER BY 1, 2""",
    ),
    Control(
        code="C-05b",
        title="Every document is the sum of its lines, its lines are the charges, and its number is its own",
        risk="Invoices are wrong or missing",
        kind="detective",
        enforced_by="guards of posted documents, invariants billing.*",
        model="billing.Invoice",
        population=f"""
SELECT i.id, i.number, i.kind, c.number AS customer, i.currency, i.issue_date, i.net, i.tax, i.total
{_POSTED} ORDER BY i.id""",
        exceptions=f"""
SELECT i.id, 'net is not the sum of its lines' AS problem {_POSTED}
  AND i.net <> (SELECT coalesce(sum(l.net), 0) FROM billing_invoiceline l WHERE l.invoice_id = i.id)
UNION ALL SELECT i.id, 'total is not net and tax' {_POSTED} AND i.total <> i.net + i.tax
UNION ALL SELECT i.id, 'a line is not the sum of its charges' {_POSTED}
  AND EXISTS (SELECT FROM billing_invoiceline l JOIN billing_charge h ON h.invoice_line_id = l.id
              WHERE l.invoice_id = i.id GROUP BY l.id, l.net HAVING sum(h.amount) <> l.net)
UNION ALL SELECT i.id, 'two documents have its number' {_POSTED}
  AND EXISTS (SELECT FROM billing_invoice o WHERE o.number = i.number AND o.id <> i.id)
UNION ALL SELECT i.id, 'posted without a journal' {_POSTED} AND i.total <> 0
  AND NOT EXISTS (SELECT FROM ledger_journal j WHERE j.source IN ('billing.invoice:' || i.id,
                  'billing.credit_memo:' || i.id))
ORDER BY 1, 2""",
    ),
    Control(
        code="C-06",
        title="Credit memos by hand are posted by who wrote none of their values; a run's with it (C-05)",
        risk="Receivables are taken away to hide that cash was taken",
        kind="preventive",
        enforced_by="policy billing.credit.post, deferred trigger on billing_invoice, rules S05, S11, S18",
        model="billing.Invoice",
        population=f"""
SELECT i.id, i.number, c.number AS customer, i.currency, i.issue_date, i.total, i.reason_code,
       (SELECT username FROM access_user u WHERE u.id = i.drafted_by_id) AS drafted_by,
       (SELECT username FROM access_user u WHERE u.id = i.posted_by_id) AS posted_by, r.number AS run,
       (SELECT username FROM access_user u WHERE u.id = r.released_by_id) AS run_released_by
{_CREDITS.replace("WHERE", "LEFT JOIN billing_billrun r ON r.id = i.run_id WHERE", 1)} ORDER BY i.id""",
        exceptions=f"""
SELECT i.id, 'posted by whoever drafted it' AS problem {_CREDITS} AND i.run_id IS NULL
  AND i.posted_by_id = i.drafted_by_id
UNION ALL SELECT i.id, 'posted by whoever wrote a line' {_CREDITS} AND i.run_id IS NULL
  AND EXISTS (SELECT FROM billing_historicalinvoiceline w
              WHERE w.invoice_id = i.id AND w.history_user_id = i.posted_by_id AND w.history_type <> '-')
UNION ALL SELECT i.id, 'says no reason' {_CREDITS} AND i.run_id IS NULL AND i.reason_code = ''
UNION ALL {unapproved("billing.credit.post", _POSTINGS)}
ORDER BY 1, 2""",
    ),
    Control(
        code="C-06b",
        title="Write-offs beyond authority are decided by somebody who did not ask for them",
        risk="Receivables are written off to hide that cash was taken",
        kind="preventive",
        enforced_by="policy billing.writeoff.post, deferred trigger on billing_application, rules S21, S22",
        model="billing.Application",
        population=f"""
SELECT a.id, i.number AS invoice, i.currency, a.amount, a.applied_on, a.reason_code, a.recorded_at
{_WRITTEN_OFF} ORDER BY a.id""",
        exceptions=f"""
{unapproved("billing.writeoff.post", _FACT + _WRITTEN_OFF)}
UNION ALL SELECT a.id, 'says no reason' {_WRITTEN_OFF} AND a.reason_code = ''
ORDER BY 1, 2""",
    ),
    Control(
        code="C-06d",
        title="Short payments beyond authority are accepted by somebody who did not ask for it",
        risk="Receivables are let go to hide that cash was taken",
        kind="preventive",
        enforced_by="policy billing.shortpay.accept, deferred trigger on billing_application, rules S21, S22",
        model="billing.Application",
        population=f"""
SELECT a.id, i.number AS invoice, i.currency, a.amount, a.applied_on, a.reason_code, a.recorded_at
{_SHORT_PAID} ORDER BY a.id""",
        exceptions=f"""
{unapproved("billing.shortpay.accept", _FACT + _SHORT_PAID)}
ORDER BY 1, 2""",
    ),
    Control(
        code="C-06e",
        title="Promotional credit beyond authority is given by somebody who did not ask for it",
        risk="Services are given away",
        kind="preventive",
        enforced_by="policy billing.grant.promote, deferred trigger on billing_grant",
        model="billing.Grant",
        population=f"""
SELECT g.id, c.number AS customer, g.currency, g.granted, g.starts_on, g.ends_on,
       h.history_actor AS given_by, h.history_date AS given_at
{_GIVEN} ORDER BY g.id""",
        exceptions=f"""
{unapproved("billing.grant.promote", item("g.id") + _GIVEN)}
ORDER BY 1, 2""",
    ),
    Control(
        code="C-06c",
        title="Refunds pay back what came in, and are released by others than drafted them or handle cash",
        risk="Money leaves to an account of somebody's own",
        kind="preventive",
        enforced_by="policy billing.refund.release, deferred triggers on billing_refund, rules S05, S18, S22,"
        " S45",
        model="billing.Refund",
        population=f"""
SELECT f.id, f.number, coalesce(r.number, m.number) AS source, c.number AS customer, f.currency, f.amount,
       f.refund_on, f.reason_code, f.method, f.state, f.paid_on, f.payment_reference,
       (SELECT username FROM access_user u WHERE u.id = f.drafted_by_id) AS drafted_by,
       (SELECT username FROM access_user u WHERE u.id = f.released_by_id) AS released_by, f.released_at
{_REFUNDED} ORDER BY f.id""",
        exceptions=f"""
SELECT f.id, 'released by whoever drafted or changed it' AS problem {_REFUNDED}
  AND EXISTS (SELECT FROM billing_historicalrefund w WHERE w.id = f.id AND w.state = 'draft'
              AND w.history_user_id = f.released_by_id)
UNION ALL SELECT f.id, 'released by whoever recorded the receipt' {_REFUNDED}
  AND EXISTS (SELECT FROM billing_historicalreceipt w WHERE w.id = f.receipt_id AND w.history_type = '+'
              AND w.history_user_id = f.released_by_id)
UNION ALL SELECT f.id, 'released by whoever applied the receipt' {_REFUNDED}
  AND EXISTS (SELECT FROM billing_application a WHERE a.receipt_id = f.receipt_id AND a.kind = 'receipt'
              AND a.actor_id = f.released_by_id)
UNION ALL {unapproved("billing.refund.release", _REFUNDS, _OWED)}
UNION ALL SELECT f.id, 'more than its source had left' {_REFUNDED}
  AND (r.applied > r.amount OR m.applied < m.total)
UNION ALL SELECT f.id, 'not in the books' {_REFUNDED}
  AND NOT EXISTS (SELECT FROM ledger_journal j WHERE j.event_key = 'billing.refund:' || f.id
                  AND j.rule = 'refund.released')
ORDER BY 1, 2""",
    ),
    Control(
        code="C-11",
        title="Usage is complete and counted once",
        risk="Usage is lost or billed twice",
        kind="detective",
        enforced_by="unique key (source, event id), check constraint on every batch",
        model="billing.UsageBatch",
        population="""
SELECT b.id, s.code AS source, b.channel, b.file_name, b.part, b.received, b.accepted, b.duplicate, b.parked,
       b.recorded_at
FROM billing_usagebatch b JOIN billing_usagesource s ON s.id = b.source_id
WHERE b.recorded_at >= %(start)s AND b.recorded_at < %(end)s ORDER BY b.id""",
        exceptions="""
SELECT b.id, 'received is not accepted, duplicate and parked' AS problem FROM billing_usagebatch b
WHERE b.recorded_at >= %(start)s AND b.recorded_at < %(end)s
  AND b.received <> b.accepted + b.duplicate + b.parked
UNION ALL
SELECT b.id, 'stored ' || coalesce(n.stored, 0) || ' events of ' || b.accepted FROM billing_usagebatch b
LEFT JOIN (SELECT batch_id, count(*) AS stored FROM billing_usageevent GROUP BY 1) n ON n.batch_id = b.id
WHERE b.recorded_at >= %(start)s AND b.recorded_at < %(end)s AND coalesce(n.stored, 0) <> b.accepted
ORDER BY 1, 2""",
    ),
    Control(
        code="C-14",
        title="Every receipt is a line of the bank's statement, once, and in the books",
        risk="Money is recorded that never came, or came and is not recorded",
        kind="detective",
        enforced_by="unique bank id of a receipt, tie-outs cash.recorded and cash.applied, duty of the bank's"
        " own account",
        model="billing.Receipt",
        population=f"""
SELECT r.id, r.number, e.code AS entity, c.number AS customer, r.currency, r.amount, r.received_on, r.method,
       r.external_id AS statement_line, r.state, h.history_actor AS recorded_by
{_RECEIVED} ORDER BY r.id""",
        exceptions=f"""
SELECT r.id, 'recorded by hand, and names no line of a statement' AS problem {_RECEIVED}
  AND r.external_id IS NULL AND r.method <> 'check' AND r.state = 'recorded'
UNION ALL SELECT r.id, 'the same payer, day and amount as a line of a statement' {_RECEIVED}
  AND r.external_id IS NULL AND r.state = 'recorded' AND EXISTS (
    SELECT FROM billing_receipt o WHERE o.external_id IS NOT NULL AND o.state = 'recorded'
      AND (o.entity_id, o.currency, o.amount, o.received_on)
        = (r.entity_id, r.currency, r.amount, r.received_on)
      AND o.customer_id IS NOT DISTINCT FROM r.customer_id)
UNION ALL SELECT r.id, 'cash in the books is not what came in' {_RECEIVED}
  AND r.amount IS DISTINCT FROM (
    SELECT sum(x.debit) FROM ledger_journal j JOIN ledger_journalline x ON x.journal_id = j.id
    JOIN ledger_account a ON a.id = x.account_id AND a.code = '1000'
    WHERE j.event_key = 'billing.receipt:' || r.id AND j.rule = 'receipt.recorded')
ORDER BY 1, 2""",
    ),
]
