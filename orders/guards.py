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
]
