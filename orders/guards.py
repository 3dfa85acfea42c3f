"""What the database itself holds about contracts, beyond what the models can declare.

Lines and segments may be removed only while their order is a draft. Once it is active, a segment is opened
only by an amendment that is being applied, and closed only by one, never made longer. All are statement-level
with one join, so that a run of thousands costs one check.
"""

from o2c.audit.triggers import Trigger, always
from o2c.controls.approvals.sql import act_triggers
from orders.policies import ACTS

OPENED_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_segment_opened() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE bad record;
BEGIN
  SELECT o.number, o.state INTO bad
  FROM new_rows s JOIN orders_orderline l ON l.id = s.line_id JOIN orders_order o ON o.id = l.order_id
  LEFT JOIN orders_amendment a ON a.id = s.opened_by_id
  WHERE NOT (
    (o.state = 'draft' AND s.opened_by_id IS NULL)
    OR (o.state = 'active' AND coalesce(a.order_id = o.id AND a.state = 'draft', false))
  ) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'Order % is %: a segment is opened while it is a draft, or by an amendment of it',
      bad.number, bad.state USING ERRCODE = 'OC001';
  END IF;
  RETURN NULL;
END $$
"""

OPENED = """
CREATE OR REPLACE TRIGGER o2c_opened AFTER INSERT ON orders_segment
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION o2c_segment_opened()
"""

CLOSED_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_segment_closed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE bad record;
BEGIN
  SELECT o.number, s.starts_on INTO bad
  FROM new_rows s JOIN old_rows b ON b.id = s.id
  JOIN orders_orderline l ON l.id = s.line_id JOIN orders_order o ON o.id = l.order_id
  LEFT JOIN orders_amendment a ON a.id = s.closed_by_id
  WHERE (s.ends_on IS DISTINCT FROM b.ends_on OR s.closed_by_id IS DISTINCT FROM b.closed_by_id)
    AND (
      o.state <> 'active' OR a.id IS NULL OR a.order_id <> o.id OR a.state <> 'draft'
      OR coalesce(s.ends_on, 'infinity') > coalesce(b.ends_on, 'infinity')
    ) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'Order %: the segment from % is cut short only by an amendment of an active order',
      bad.number, bad.starts_on USING ERRCODE = 'OC001';
  END IF;
  RETURN NULL;
END $$
"""

CLOSED = """
CREATE OR REPLACE TRIGGER o2c_closed AFTER UPDATE ON orders_segment
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION o2c_segment_closed()
"""

REMOVED_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_contract_removed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE bad record;
BEGIN
  IF TG_TABLE_NAME = 'orders_segment' THEN
    SELECT o.number, o.state INTO bad
    FROM old_rows s JOIN orders_orderline l ON l.id = s.line_id JOIN orders_order o ON o.id = l.order_id
    WHERE o.state <> 'draft' LIMIT 1;
  ELSE
    SELECT o.number, o.state INTO bad
    FROM old_rows l JOIN orders_order o ON o.id = l.order_id WHERE o.state <> 'draft' LIMIT 1;
  END IF;
  IF FOUND THEN
    RAISE EXCEPTION 'Order % is %: what was signed is not removed; amend the order instead',
      bad.number, bad.state USING ERRCODE = 'OC001';
  END IF;
  RETURN NULL;
END $$
"""


def _removed(table: str) -> Trigger:
    make = (
        f"CREATE OR REPLACE TRIGGER o2c_removed AFTER DELETE ON {table}"
        " REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION o2c_contract_removed()"
    )
    return Trigger(table, "o2c_removed", (REMOVED_FUNCTION, make, always(table, "o2c_removed")))


ADDED_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_line_added() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE bad record;
BEGIN
  SELECT o.number, o.state INTO bad
  FROM new_rows l JOIN orders_order o ON o.id = l.order_id
  LEFT JOIN orders_amendment a ON a.id = l.added_by_id
  WHERE NOT (
    (o.state = 'draft' AND l.added_by_id IS NOT DISTINCT FROM o.opened_by_id)
    OR (o.state = 'active' AND coalesce(a.order_id = o.id AND a.state = 'draft', false))
  ) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'Order % is %: a line is added while it is a draft, or by an amendment of it',
      bad.number, bad.state USING ERRCODE = 'OC001';
  END IF;
  RETURN NULL;
END $$
"""

ADDED = """
CREATE OR REPLACE TRIGGER o2c_added AFTER INSERT ON orders_orderline
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION o2c_line_added()
"""

# Where customers stand: the decision in force, what they owe by the books, and what their active orders
# commit them to and no document has billed. Without a decision the standard of the currency holds, else zero.
STANDING_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_credit_standing(wanted bigint[]) RETURNS TABLE (
  customer bigint, decision bigint, credit_limit numeric, held boolean, receivable numeric, unbilled numeric)
LANGUAGE sql STABLE AS $$
  WITH active AS (
    SELECT o.id, o.customer_id, coalesce(k.value, o.signed_total, 0) + coalesce((
        SELECT sum(a.value_after - a.value_before) FROM orders_amendment a
        WHERE a.order_id = o.id AND a.state = 'applied'), 0) AS committed
    FROM orders_order o LEFT JOIN orders_creditcheck k ON k.order_id = o.id AND k.amendment_id IS NULL
    WHERE o.customer_id = ANY(wanted) AND o.state = 'active' AND o.channel = 'direct'
  ), billed AS (
    SELECT n.order_id, sum(l.credit - l.debit) AS amount
    FROM active JOIN orders_orderline n ON n.order_id = active.id
    JOIN orders_sku s ON s.id = n.sku_id AND s.kind <> 'usage'
    JOIN ledger_account c ON c.code IN ('1110', '2100', '2110')
    JOIN ledger_journalline l ON l.account_id = c.id AND l.reference = 'order_line:' || n.id
    JOIN ledger_journal j ON j.id = l.journal_id AND j.source LIKE 'billing.invoice:%'
    GROUP BY 1
  ), unbilled AS (
    SELECT active.customer_id, sum(greatest(active.committed - coalesce(billed.amount, 0), 0)) AS amount
    FROM active LEFT JOIN billed ON billed.order_id = active.id GROUP BY 1
  ), owed AS (
    SELECT l.party_id, sum(l.debit - l.credit) AS amount
    FROM ledger_account c JOIN ledger_journalline l ON l.account_id = c.id
    WHERE c.code = '1100' AND l.party_id = ANY(wanted) GROUP BY 1
  )
  SELECT c.id, coalesce(own.id, standard.id),
         CASE WHEN own.id IS NOT NULL THEN own.amount ELSE coalesce(standard.amount, 0) END,
         coalesce(own.held, false), coalesce(owed.amount, 0), coalesce(unbilled.amount, 0)
  FROM orders_customer c
  LEFT JOIN LATERAL (SELECT x.* FROM orders_creditlimit x WHERE x.customer_id = c.id
                     ORDER BY x.id DESC LIMIT 1) own ON true
  LEFT JOIN LATERAL (SELECT x.* FROM orders_creditlimit x WHERE own.id IS NULL AND x.customer_id IS NULL
                       AND x.currency = c.currency ORDER BY x.id DESC LIMIT 1) standard ON true
  LEFT JOIN owed ON owed.party_id = c.id LEFT JOIN unbilled ON unbilled.customer_id = c.id
  WHERE c.id = ANY(wanted)
$$
"""

# The customers are locked first and then looked at: two orders that go ahead at once count each other.
# An order without its credit check is refused: its value would be missing from every later one.
CREDIT_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_credit_refuse(orders bigint[], amendments bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE buyers bigint[]; bad record;
BEGIN
  SELECT array_agg(DISTINCT o.customer_id) INTO buyers FROM orders_order o
  WHERE o.id = ANY(orders) AND o.channel = 'direct';
  IF buyers IS NULL THEN RETURN; END IF;
  PERFORM 1 FROM orders_customer WHERE id = ANY(buyers) ORDER BY id FOR NO KEY UPDATE;
  SELECT o.number, c.number AS customer, p.held, p.credit_limit, p.receivable + p.unbilled AS exposure
  INTO bad
  FROM o2c_credit_standing(buyers) p JOIN orders_customer c ON c.id = p.customer
  JOIN orders_order o ON o.customer_id = c.id AND o.id = ANY(orders) AND o.channel = 'direct'
  WHERE (p.held OR p.receivable + p.unbilled > p.credit_limit) AND NOT EXISTS (
    SELECT 1 FROM (SELECT x.* FROM orders_creditrelease x WHERE x.order_id = o.id
                   ORDER BY x.id DESC LIMIT 1) r
    WHERE r.decision_id IS NOT DISTINCT FROM p.decision AND p.receivable + p.unbilled <= r.covers) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'Order % is on credit hold: customer % may owe % and would reach %; %', bad.number,
      bad.customer, coalesce(bad.credit_limit::text, 'without limit'), bad.exposure,
      CASE WHEN bad.held THEN 'it is on hold' ELSE 'no release covers that' END
      USING ERRCODE = 'OC006', TABLE = 'orders_order';
  END IF;
  SELECT o.number INTO bad FROM orders_order o LEFT JOIN orders_creditcheck k
    ON k.order_id = o.id AND CASE WHEN amendments IS NULL THEN k.amendment_id IS NULL
                                  ELSE k.amendment_id = ANY(amendments) END
  WHERE o.id = ANY(orders) AND o.channel = 'direct'
    AND (k.id IS NULL OR amendments IS NULL AND o.signed_total <> k.value) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'Order %: its credit was not checked, or for another value than was signed', bad.number
      USING ERRCODE = 'OC006', TABLE = 'orders_order';
  END IF;
END $$
"""

ORDER_CREDIT_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_order_credit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE moved bigint[];
BEGIN
  SELECT array_agg(n.id) INTO moved FROM new_rows n JOIN old_rows b ON b.id = n.id
  WHERE n.state = 'active' AND b.state <> 'active';
  IF moved IS NOT NULL THEN PERFORM o2c_credit_refuse(moved, NULL); END IF;
  RETURN NULL;
END $$
"""

AMENDMENT_CREDIT_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_amendment_credit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE moved bigint[]; amendments bigint[];
BEGIN
  SELECT array_agg(n.order_id), array_agg(n.id) INTO moved, amendments
  FROM new_rows n JOIN old_rows b ON b.id = n.id
  WHERE n.state = 'applied' AND b.state <> 'applied' AND n.value_after > n.value_before;
  IF moved IS NOT NULL THEN PERFORM o2c_credit_refuse(moved, amendments); END IF;
  RETURN NULL;
END $$
"""

# A decision that comes with the product is written by whoever owns the tables, and by nobody else.
SHIPPED_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_credit_shipped() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
    RAISE EXCEPTION 'A credit limit is decided by people' USING ERRCODE = 'OC006', TABLE = TG_TABLE_NAME;
  END IF;
  RETURN NEW;
END $$
"""

SHIPPED = """
CREATE OR REPLACE TRIGGER o2c_shipped BEFORE INSERT ON orders_creditlimit
  FOR EACH ROW WHEN (NEW.shipped) EXECUTE FUNCTION o2c_credit_shipped()
"""


def _credit(table: str, function: str, body: str) -> Trigger:
    make = (
        f"CREATE OR REPLACE TRIGGER o2c_within_credit AFTER UPDATE ON {table}"
        " REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
    )
    statements = (STANDING_FUNCTION, CREDIT_FUNCTION, body, make, always(table, "o2c_within_credit"))
    return Trigger(table, "o2c_within_credit", statements)


TRIGGERS = [
    *(trigger for act in ACTS for trigger in act_triggers(act)),
    Trigger(
        "orders_segment", "o2c_opened", (OPENED_FUNCTION, OPENED, always("orders_segment", "o2c_opened"))
    ),
    Trigger(
        "orders_segment", "o2c_closed", (CLOSED_FUNCTION, CLOSED, always("orders_segment", "o2c_closed"))
    ),
    Trigger(
        "orders_orderline", "o2c_added", (ADDED_FUNCTION, ADDED, always("orders_orderline", "o2c_added"))
    ),
    _removed("orders_segment"),
    _removed("orders_orderline"),
    _credit("orders_order", "o2c_order_credit", ORDER_CREDIT_FUNCTION),
    _credit("orders_amendment", "o2c_amendment_credit", AMENDMENT_CREDIT_FUNCTION),
    Trigger(
        "orders_creditlimit",
        "o2c_shipped",
        (SHIPPED_FUNCTION, SHIPPED, always("orders_creditlimit", "o2c_shipped")),
    ),
]
