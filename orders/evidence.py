"""Controls over quotes and orders, as auditors ask about them."""

from __future__ import annotations

from o2c.evidence.registry import Control

_ACTIVATED = """
FROM (SELECT DISTINCT ON (id) * FROM orders_historicalorder WHERE state = 'active' ORDER BY id, history_id) h
JOIN (SELECT DISTINCT ON (id) * FROM orders_historicalorder ORDER BY id, history_id) d ON d.id = h.id
JOIN orders_order o ON o.id = h.id JOIN orders_customer c ON c.id = o.customer_id
WHERE h.history_date >= %(start)s AND h.history_date < %(end)s
"""
_APPROVED = """
FROM orders_quote q JOIN orders_customer c ON c.id = q.customer_id
LEFT JOIN (SELECT quote_id, max(discount_percent) AS discount,
                  bool_or(override_spec IS NOT NULL) AS overridden
           FROM orders_quoteline GROUP BY 1) l ON l.quote_id = q.id
WHERE q.approved_at >= %(start)s AND q.approved_at < %(end)s
"""

CONTROLS = [
    Control(
        code="C-01",
        title="Only complete orders become billable, and not by whoever entered them",
        risk="Customers are billed for what was not agreed",
        kind="preventive",
        enforced_by="orders.services.orders.activate, triggers of segregation S10, S12",
        model="orders.Order",
        population=f"""
SELECT o.id, o.number, c.number AS customer, o.currency, o.signed_total, h.history_date AS activated_at,
       h.history_actor AS activated_by, d.history_actor AS entered_by
{_ACTIVATED} ORDER BY o.id""",
        exceptions=f"""
SELECT o.id, 'entered and activated by ' || h.history_actor AS problem {_ACTIVATED}
  AND h.history_user_id = d.history_user_id
  AND EXISTS (SELECT FROM access_user u WHERE u.id = h.history_user_id AND u.kind <> 'service')
UNION ALL SELECT o.id, 'has no lines' {_ACTIVATED}
  AND NOT EXISTS (SELECT FROM orders_orderline l WHERE l.order_id = o.id)
UNION ALL SELECT o.id, 'a line was never priced' {_ACTIVATED}
  AND EXISTS (SELECT FROM orders_orderline l WHERE l.order_id = o.id
              AND NOT EXISTS (SELECT FROM orders_segment s WHERE s.line_id = l.id))
ORDER BY 1, 2""",
    ),
    Control(
        code="C-02",
        title="Discounts beyond authority are approved by somebody who wrote none of the values",
        risk="Revenue is given away",
        kind="preventive",
        enforced_by="policy orders.quote.approve, deferred trigger on orders_quote",
        model="orders.Quote",
        population=f"""
SELECT q.id, q.number, q.version, c.number AS customer, q.currency, l.discount AS largest_discount,
       l.overridden AS price_overridden, q.approved_at
{_APPROVED} ORDER BY q.id""",
        exceptions=f"""
SELECT q.id, 'approved by whoever wrote a line' AS problem {_APPROVED}
  AND EXISTS (SELECT FROM orders_historicalquoteline w
              WHERE w.quote_id = q.id AND w.history_user_id = q.approved_by_id)
UNION ALL SELECT q.id, 'approved by whoever submitted it' {_APPROVED} AND q.approved_by_id = q.submitted_by_id
UNION ALL SELECT q.id, 'more than 20 %% off, or a price of its own, without an approval' {_APPROVED}
  AND (l.discount > 20 OR l.overridden)
  AND NOT EXISTS (SELECT FROM approvals_request r JOIN approvals_decision d ON d.request_id = r.id
                  WHERE r.act = 'orders.quote.approve' AND r.result_id = q.id AND r.state = 'committed'
                    AND d.verdict IN ('approve', 'carried') AND d.round = r.round
                    AND d.decided_by_id NOT IN (SELECT w.history_user_id FROM orders_historicalquoteline w
                                                WHERE w.quote_id = q.id AND w.history_user_id IS NOT NULL))
ORDER BY 1, 2""",
    ),
]
