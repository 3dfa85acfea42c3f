"""Controls over quotes and orders, as auditors ask about them."""

from __future__ import annotations

from o2c.evidence.approved import OF_HISTORY, item, reached, unapproved
from o2c.evidence.registry import Control
from orders.policy_masters import CREDIT_TERMS, IDENTITY

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
_FACT = "SELECT c.id, l.id AS row, l.recorded_at AS at, NULL::bigint AS transaction"
_LET_THROUGH = """
SELECT r.order_id, r.id, r.recorded_at, NULL::bigint FROM orders_creditrelease r
WHERE r.recorded_at >= %(start)s AND r.recorded_at < %(end)s
"""


def _changed(columns: tuple[str, ...]) -> str:
    """Changes of these columns of customers, one by one, as history `h` has them."""
    now = ", ".join(f"h.{column}" for column in columns)
    listed = ", ".join(columns)
    return f"""
FROM (SELECT x.*, lag(ROW({listed})) OVER (PARTITION BY id ORDER BY history_id) AS before
      FROM orders_historicalcustomer x) h
WHERE h.history_type = '~' AND h.before IS DISTINCT FROM ROW({now})
  AND h.history_date >= %(start)s AND h.history_date < %(end)s
"""


# What the approvals ask about a customer, of the moment of the change.
_AS_CHANGED = f"""(SELECT {OF_HISTORY.format("x")} || jsonb_build_object(
    'customer', x.number || ' ' || x.name, 'in_business', EXISTS (
      SELECT FROM orders_historicalorder o WHERE o.customer_id = x.id AND o.activated_on IS NOT NULL
        AND o.history_date < w.at)::text)
  FROM orders_historicalcustomer x WHERE x.id = w.row AND x.history_date = w.at
  ORDER BY x.history_id DESC LIMIT 1)"""


def _moved(table: str, states: str, condition: str = "true") -> str:
    """Rows of a table with the row of history in which they first reached one of the states."""
    return f"""
FROM orders_{table} t {reached(f"orders_historical{table}", "t.id", f"w.state IN ({states})")}
WHERE h.history_date >= %(start)s AND h.history_date < %(end)s AND {condition}
"""


_DISCOUNTED = _moved("priceadjustment", "'active'")
_PRICED = _moved("price", "'active'")
_AMENDED = _moved("amendment", "'applied'", "t.kind <> 'cancel'")
_CANCELLED = _moved("amendment", "'applied'", "t.kind = 'cancel'")
_APPLIED = _moved("amendment", "'applied'")
_CHANGE = "SELECT h.id, h.id AS row, h.history_date AS at, h.history_txid AS transaction"
_ARRIVED = """
FROM orders_dealintake d LEFT JOIN orders_order o ON o.id = d.order_id
WHERE d.created_at >= %(start)s AND d.created_at < %(end)s
"""
_NAMED = """
FROM orders_order o JOIN orders_historicalorder h ON h.id = o.id AND h.history_type = '+'
WHERE o.salesforce_opportunity_id IS NOT NULL AND h.history_date >= %(start)s AND h.history_date < %(end)s
"""
_MADE = """
FROM orders_coupon t JOIN LATERAL (
  SELECT w.* FROM orders_historicalcoupon w WHERE w.id = t.id AND w.active
  ORDER BY w.history_id LIMIT 1) h ON true
WHERE h.history_date >= %(start)s AND h.history_date < %(end)s
"""
_QUOTES = item("q.id") + _APPROVED.replace(
    "WHERE", reached("orders_historicalquote", "q.id", "w.state = 'approved'") + " WHERE", 1
)

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
UNION ALL {unapproved("orders.order.activate", item("h.id") + _ACTIVATED)}
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
UNION ALL {unapproved("orders.quote.approve", _QUOTES)}
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
UNION ALL {unapproved("orders.order.release_credit", _LET_THROUGH)}
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
{unapproved("orders.customer.change_credit", _FACT + _DECIDED)}
UNION ALL SELECT c.id, 'decided by whoever keeps the customer' {_DECIDED}
  AND EXISTS (SELECT FROM orders_historicalcustomer h JOIN access_user w ON w.id = h.history_user_id
              WHERE h.id = c.id AND h.history_user_id = l.actor_id AND w.kind = 'human')
ORDER BY 1, 2""",
    ),
    Control(
        code="C-02b",
        title="Overrides that take more off than one person may were approved by others",
        risk="Revenue is given away to one customer",
        kind="preventive",
        enforced_by="policy orders.adjustment.activate, deferred trigger on orders_priceadjustment",
        model="orders.PriceAdjustment",
        population=f"""
SELECT t.id, (SELECT c.number FROM orders_customer c WHERE c.id = t.customer_id) AS customer, t.method,
       t.value, t.starts_on, t.ends_on, h.history_actor AS activated_by, h.history_date AS activated_at
{_DISCOUNTED} ORDER BY t.id""",
        exceptions=f"""
{unapproved("orders.adjustment.activate", item("t.id") + _DISCOUNTED)}
UNION ALL SELECT t.id, 'drafted and activated by one person' {_DISCOUNTED}
  AND t.drafted_by_id = t.activated_by_id
ORDER BY 1, 2""",
    ),
    Control(
        code="C-02c",
        title="Coupons are put in force with an approval",
        risk="Revenue is given away to whoever knows a code",
        kind="preventive",
        enforced_by="policy orders.coupon.activate, deferred trigger on orders_coupon, rule S09",
        model="orders.Coupon",
        population=f"""
SELECT t.id, t.code, t.method, t.value, t.currency, h.history_actor AS put_in_force_by, h.history_date AS at
{_MADE} ORDER BY t.id""",
        exceptions=f"""
{unapproved("orders.coupon.activate", item("t.id") + _MADE)}
ORDER BY 1, 2""",
    ),
    Control(
        code="C-02d",
        title="List prices that fall, or are of another structure, were approved by others",
        risk="A low list price is a discount that no discount rule sees",
        kind="preventive",
        enforced_by="policy orders.price.activate, deferred trigger on orders_price, rule S08",
        model="orders.Price",
        population=f"""
SELECT t.id, (SELECT k.code FROM orders_sku k WHERE k.id = t.sku_id) AS sku, t.currency, t.effective_from,
       h.history_actor AS activated_by, h.history_date AS activated_at
{_PRICED} ORDER BY t.id""",
        exceptions=f"""
{unapproved("orders.price.activate", item("t.id") + _PRICED)}
ORDER BY 1, 2""",
    ),
    Control(
        code="C-02e",
        title="Amendments that give up more than one person may were approved by others",
        risk="Committed value is given up after the contract was signed",
        kind="preventive",
        enforced_by="policies orders.amendment.apply and orders.amendment.cancel, deferred triggers",
        model="orders.Amendment",
        population=f"""
SELECT t.id, (SELECT o.number FROM orders_order o WHERE o.id = t.order_id) AS "order", t.number, t.kind,
       t.effective_on, t.value_before, t.value_after, h.history_actor AS applied_by,
       h.history_date AS applied_at
{_APPLIED} ORDER BY t.id""",
        exceptions=f"""
{unapproved("orders.amendment.apply", item("t.id") + _AMENDED)}
UNION ALL {unapproved("orders.amendment.cancel", item("t.id") + _CANCELLED)}
ORDER BY 1, 2""",
    ),
    Control(
        code="C-03c",
        title="Whom and where we bill, and how late they pay, changes with the approvals that it needs",
        risk="Invoices are diverted; sales to nobody are invented; customers pay late without authority",
        kind="preventive",
        enforced_by="policies orders.customer.change_identity and change_terms, rules S02, S04, S41",
        model="orders.Customer",
        population=f"""
SELECT h.id, h.number, h.legal_name, h.country, h.payment_terms_days, h.tax_exempt,
       h.history_actor AS changed_by, h.history_date AS changed_at, h.history_txid AS transaction
{_changed((*IDENTITY, *CREDIT_TERMS))} ORDER BY h.history_id""",
        exceptions=f"""
{unapproved("orders.customer.change_identity", _CHANGE + _changed(IDENTITY), _AS_CHANGED)}
UNION ALL {unapproved("orders.customer.change_terms", _CHANGE + _changed(CREDIT_TERMS), _AS_CHANGED)}
ORDER BY 1, 2""",
    ),
    Control(
        code="C-13",
        title="Every deal that the CRM sent is an order of its value, or was put aside with a reason",
        risk="Sales are lost, invented, or entered for another value than was signed",
        kind="detective",
        enforced_by="orders.services.intake, unique opportunity of an order, S13",
        model="orders.DealIntake",
        population=f"""
SELECT d.id, d.source, d.external_id, d.payload->>'Name' AS deal, d.payload->>'Amount' AS amount, d.state,
       o.number AS "order", o.signed_total, d.created_at AS arrived_at
{_ARRIVED} ORDER BY d.id""",
        exceptions=f"""
SELECT d.id, 'accepted, and no order is of this deal' AS problem {_ARRIVED} AND d.state = 'accepted'
  AND o.salesforce_opportunity_id IS DISTINCT FROM d.external_id
UNION ALL SELECT d.id, 'the order was signed for ' || o.signed_total || ', the deal says '
  || (d.payload->>'Total_Contract_Value__c') {_ARRIVED} AND d.state = 'accepted'
  AND o.signed_total <> nullif(d.payload->>'Total_Contract_Value__c', '')::numeric
UNION ALL SELECT d.id, 'waits since ' || d.created_at || ' without an order or a reason' {_ARRIVED}
  AND d.state IN ('received', 'parked') AND d.created_at < %(end)s::timestamptz - interval '5 days'
  AND NOT EXISTS (SELECT FROM orders_order k WHERE k.salesforce_opportunity_id = d.external_id)
UNION ALL SELECT d.id, 'put aside without a reason' {_ARRIVED} AND d.state = 'dismissed'
  AND NOT EXISTS (SELECT FROM orders_historicaldealintake h WHERE h.id = d.id AND h.state = 'dismissed'
                  AND h.history_change_reason <> '')
UNION ALL SELECT d.id, 'says another deal than it was taken in as' {_ARRIVED}
  AND left(d.payload->>'Id', 15) <> left(d.external_id, 15)
ORDER BY 1, 2""",
    ),
    Control(
        code="C-13b",
        title="Every order that names a deal of the CRM came with that deal",
        risk="An order is entered as if a customer had signed it",
        kind="detective",
        enforced_by="unique opportunity of an order, orders.services.intake",
        model="orders.Order",
        population=f"""
SELECT o.id, o.number, o.salesforce_opportunity_id AS deal, o.currency, o.signed_total,
       h.history_actor AS entered_by
{_NAMED} ORDER BY o.id""",
        exceptions=f"""
SELECT o.id, 'the CRM never sent deal ' || o.salesforce_opportunity_id AS problem {_NAMED}
  AND NOT EXISTS (SELECT FROM orders_dealintake d WHERE d.external_id = o.salesforce_opportunity_id)
ORDER BY 1""",
    ),
]
