"""What the database itself holds about refunds: they count as applied, once, and never beyond what came in.

An application of kind refund says that the money is no longer credit. The trigger writes it as the refund is
released, and its reversal as the payment fails, whoever changes the state; one that somebody else writes is
refused: at commit a refund that is released or paid has exactly one that stands, and any other none.
A credit memo is paid back only as far as money, or other credit, came in for the invoice that it corrects:
what was written off never came in.
"""

from __future__ import annotations

PAID_FOR = """
CREATE OR REPLACE FUNCTION billing_invoice_paid(bigint) RETURNS numeric LANGUAGE sql AS $$
  SELECT coalesce(sum(a.amount), 0) FROM billing_application a
  LEFT JOIN billing_invoice m ON m.id = a.credit_memo_id
  WHERE a.invoice_id = $1 AND (a.kind = 'receipt'
     OR a.kind = 'credit_memo' AND m.corrects_id IS DISTINCT FROM a.invoice_id)
$$;
CREATE OR REPLACE FUNCTION billing_invoice_refunded(bigint) RETURNS numeric LANGUAGE sql AS $$
  SELECT coalesce(sum(a.amount), 0) FROM billing_application a
  JOIN billing_invoice m ON m.id = a.credit_memo_id
  WHERE m.corrects_id = $1 AND a.kind = 'refund'
$$
"""

# Fires after billing_application_counts, which holds the locks of the documents (triggers go by name).
APPLIED = """
CREATE OR REPLACE FUNCTION billing_application_refunds() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE bad record;
BEGIN
  SELECT f.number INTO bad FROM new_rows n JOIN billing_refund f ON f.id = n.refund_id
  LEFT JOIN billing_receipt r ON r.id = n.receipt_id LEFT JOIN billing_invoice m ON m.id = n.credit_memo_id
  WHERE (f.receipt_id, f.credit_memo_id) IS DISTINCT FROM (n.receipt_id, n.credit_memo_id)
     OR abs(n.amount) <> f.amount
     OR f.state <> CASE WHEN n.reverses_id IS NULL THEN 'released' ELSE 'failed' END
     OR (r.id IS NOT NULL AND (r.state <> 'recorded' OR r.method = 'marketplace'
         OR (r.entity_id, r.currency) <> (f.entity_id, f.currency)
         OR r.customer_id IS DISTINCT FROM f.customer_id))
     OR (m.id IS NOT NULL AND (m.state <> 'posted' OR m.kind <> 'credit_memo' OR m.channel <> 'direct'
         OR (m.entity_id, m.customer_id, m.currency) <> (f.entity_id, f.customer_id, f.currency))) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'Refund % and its source are of one entity, customer and currency, and say one amount',
      bad.number USING ERRCODE = 'OC001';
  END IF;
  SELECT i.number INTO bad FROM billing_invoice i
  WHERE i.id IN (SELECT invoice_id FROM new_rows UNION SELECT m.corrects_id FROM new_rows n
                 JOIN billing_invoice m ON m.id = n.credit_memo_id WHERE n.kind = 'refund')
    AND billing_invoice_refunded(i.id) > greatest(billing_invoice_paid(i.id), 0) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'Of invoice % more would be refunded than was paid for it', bad.number
      USING ERRCODE = 'OC001';
  END IF;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER billing_application_refunds AFTER INSERT ON billing_application
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION billing_application_refunds();
ALTER TABLE billing_application ENABLE ALWAYS TRIGGER billing_application_refunds
"""

MOVED = """
CREATE OR REPLACE FUNCTION billing_refund_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state = 'released' THEN
    INSERT INTO billing_application (kind, receipt_id, credit_memo_id, refund_id, amount, applied_on,
                                     reason_code, note, matched_by, functional_difference)
    VALUES ('refund', NEW.receipt_id, NEW.credit_memo_id, NEW.id, NEW.amount, NEW.refund_on,
            NEW.reason_code, '', 'person', NEW.functional_difference);
  ELSE
    INSERT INTO billing_application (kind, receipt_id, credit_memo_id, refund_id, amount, applied_on,
                                     reason_code, note, matched_by, functional_difference, reverses_id)
    SELECT a.kind, a.receipt_id, a.credit_memo_id, a.refund_id, -a.amount, NEW.failed_on,
           a.reason_code, NEW.failure, a.matched_by, -a.functional_difference, a.id
    FROM billing_application a WHERE a.refund_id = NEW.id AND a.reverses_id IS NULL;
  END IF;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER billing_refund_moves AFTER UPDATE ON billing_refund FOR EACH ROW
  WHEN (NEW.state IS DISTINCT FROM OLD.state AND NEW.state IN ('released', 'failed'))
  EXECUTE FUNCTION billing_refund_moves();
ALTER TABLE billing_refund ENABLE ALWAYS TRIGGER billing_refund_moves
"""

COUNTED = """
CREATE OR REPLACE FUNCTION billing_refund_is_counted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE refund billing_refund%ROWTYPE; counted numeric; wanted numeric := 0;
BEGIN
  IF TG_TABLE_NAME = 'billing_refund' THEN
    SELECT * INTO refund FROM billing_refund WHERE id = NEW.id;
  ELSE
    SELECT * INTO refund FROM billing_refund WHERE id = NEW.refund_id;
  END IF;
  SELECT coalesce(sum(amount), 0) INTO counted FROM billing_application WHERE refund_id = refund.id;
  IF refund.state IN ('released', 'paid') THEN wanted := refund.amount; END IF;
  IF counted <> wanted THEN
    RAISE EXCEPTION 'Refund % is %, and % of it is counted as applied in its source',
      refund.number, refund.state, counted USING ERRCODE = 'OC001';
  END IF;
  RETURN NULL;
END $$
"""

COUNTED_ON = """
DROP TRIGGER IF EXISTS {name} ON {table};
CREATE CONSTRAINT TRIGGER {name} AFTER {events} ON {table} DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION billing_refund_is_counted();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}
"""


def statements() -> list[str]:
    return [
        PAID_FOR,
        APPLIED,
        MOVED,
        COUNTED,
        COUNTED_ON.format(
            name="billing_refund_is_counted",
            table="billing_refund",
            events="INSERT OR UPDATE",
            when="NEW.state <> 'draft'",
        ),
        COUNTED_ON.format(
            name="billing_refund_counts",
            table="billing_application",
            events="INSERT",
            when="NEW.refund_id IS NOT NULL",
        ),
    ]
