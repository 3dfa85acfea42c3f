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

# What the gate saw, against the decision that was in force at that moment.
_CHECKED = """
FROM orders_creditcheck k JOIN orders_order o ON o.id = k.order_id
JOIN orders_customer c ON c.id = o.customer_id
LEFT JOIN orders_creditlimit l ON l.id = k.decision_id LEFT JOIN orders_creditrelease r ON r.id = k.release_id
WHERE k.recorded_at >= %(start)s AND k.recorded_at < %(end)s AND k.added > 0
"""
_DECIDED = """
FROM orders_creditlimit l JOIN orders_customer c ON c.id = l.customer_id
LEFT JOIN LATERAL (SELECT x.amount, x.held FROM orders_creditlimit x
                   WHERE x.customer_id = c.id AND x.id < l.id ORDER BY x.id DESC LIMIT 1) b ON true
LEFT JOIN access_user u ON u.id = l.actor_id
WHERE l.recorded_at >= %(start)s AND l.recorded_at < %(end)s AND NOT l.shipped
"""
_BY_ANOTHER = """
  AND NOT EXISTS (SELECT FROM approvals_request q JOIN approvals_decision d ON d.request_id = q.id
                  WHERE q.act = 'orders.customer.change_credit' AND q.result_id = l.id
                    AND q.state = 'committed' AND d.round = q.round AND d.verdict IN ('approve', 'carried')
                    AND d.decided_by_id <> q.requested_by_id)
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
    Control(
        code="C-01b",
        title="An order goes ahead within its customer's credit, or with a release by somebody else",
        risk="Goods go to a customer who cannot pay",
        kind="preventive",
        enforced_by="orders.domain.credit, triggers o2c_within_credit, policy orders.order.release_credit",
        model="orders.Order",
        population=f"""
SELECT o.id, o.number, c.number AS customer, o.currency, l.amount AS credit_limit, k.exposure, k.added,
       r.covers AS released_up_to, k.recorded_at AS checked_at
{_CHECKED} ORDER BY k.id""",
        exceptions=f"""
SELECT o.id, 'beyond the limit of ' || coalesce(l.amount, 0) || ' without a release' AS problem {_CHECKED}
  AND (l.id IS NULL OR k.exposure + k.added > l.amount OR l.held)
  AND (r.id IS NULL OR r.decision_id IS DISTINCT FROM k.decision_id OR k.exposure + k.added > r.covers)
UNION ALL SELECT o.id, 'released by whoever entered it' {_CHECKED}
  AND EXISTS (SELECT FROM orders_historicalorder h JOIN access_user w ON w.id = h.history_user_id
              WHERE h.id = o.id AND h.history_user_id = r.actor_id AND h.state = 'draft' AND w.kind = 'human')
UNION ALL SELECT o.id, 'checked under a decision that was not in force' {_CHECKED}
  AND l.customer_id IS NOT NULL AND EXISTS (SELECT FROM orders_creditlimit x WHERE x.customer_id = c.id
                                            AND x.id > l.id AND x.recorded_at < k.recorded_at)
ORDER BY 1, 2""",
    ),
    Control(
        code="C-03b",
        title="Credit is given by credit management, and large credit by others too",
        risk="Credit is given to whom somebody wants to sell",
        kind="preventive",
        enforced_by="policy orders.customer.change_credit, deferred trigger on orders_creditlimit, S02, S03",
        model="orders.Customer",
        population=f"""
SELECT c.id, c.number, c.currency, b.amount AS limit_before, l.amount AS limit_after, l.held, l.review_on,
       u.username AS decided_by, l.reason, l.recorded_at
{_DECIDED} ORDER BY l.id""",
        exceptions=f"""
SELECT c.id, 'the check was switched off without the controller' AS problem {_DECIDED}
  AND l.amount IS NULL AND b.amount IS NOT NULL {_BY_ANOTHER}
UNION ALL SELECT c.id, 'a hold was lifted by one person' {_DECIDED} AND b.held AND NOT l.held {_BY_ANOTHER}
UNION ALL SELECT c.id, 'decided by whoever keeps the customer' {_DECIDED}
  AND EXISTS (SELECT FROM orders_historicalcustomer h JOIN access_user w ON w.id = h.history_user_id
              WHERE h.id = c.id AND h.history_user_id = l.actor_id AND w.kind = 'human')
ORDER BY 1, 2""",
    ),
]
