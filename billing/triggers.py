"""What the database itself holds about cash, beyond constraints and the declared guards.

An application keeps `applied` of its invoice, credit memo and receipt: the trigger locks those rows
(invoices before receipts, each by id), then sums the applications, so that two that race cannot
both fit into the same open amount; the CHECK on the row refuses the second. Nobody else can set
`applied`: any other value than the sum is refused.
"""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db import connection

from billing import refund_triggers

APPLICATION = """
CREATE OR REPLACE FUNCTION billing_application_counts() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE bad record;
BEGIN
  PERFORM 1 FROM billing_invoice WHERE id IN
    (SELECT invoice_id FROM new_rows UNION SELECT credit_memo_id FROM new_rows
     UNION SELECT m.corrects_id FROM new_rows n JOIN billing_invoice m ON m.id = n.credit_memo_id
           WHERE n.kind = 'refund')
    ORDER BY id FOR NO KEY UPDATE;
  PERFORM 1 FROM billing_receipt WHERE id IN (SELECT receipt_id FROM new_rows)
    ORDER BY id FOR NO KEY UPDATE;

  SELECT n.id, i.number INTO bad FROM new_rows n
  JOIN billing_invoice i ON i.id = n.invoice_id
  LEFT JOIN billing_invoice m ON m.id = n.credit_memo_id
  LEFT JOIN billing_receipt r ON r.id = n.receipt_id
  WHERE i.state <> 'posted' OR i.kind = 'credit_memo'
     OR (m.id IS NOT NULL AND (m.state <> 'posted' OR m.kind <> 'credit_memo'
         OR (m.entity_id, m.customer_id, m.currency) <> (i.entity_id, i.customer_id, i.currency)))
     OR (r.id IS NOT NULL AND (r.state <> 'recorded' OR (r.entity_id, r.currency) <> (i.entity_id, i.currency)
         OR r.customer_id IS DISTINCT FROM i.customer_id)) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'Invoice % and what is applied to it are posted, of one entity, customer and currency',
      bad.number USING ERRCODE = 'OC001';
  END IF;

  SELECT n.id INTO bad FROM new_rows n JOIN billing_application o ON o.id = n.reverses_id
  WHERE n.amount <> -o.amount OR o.reverses_id IS NOT NULL
     OR (n.kind, n.invoice_id, n.receipt_id, n.credit_memo_id)
        IS DISTINCT FROM (o.kind, o.invoice_id, o.receipt_id, o.credit_memo_id)
     OR n.refund_id IS DISTINCT FROM o.refund_id LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'A reversal undoes one application whole, once' USING ERRCODE = 'OC001';
  END IF;

  UPDATE billing_invoice i SET applied = billing_invoice_applied(i.id)
    WHERE i.id IN (SELECT invoice_id FROM new_rows UNION SELECT credit_memo_id FROM new_rows);
  UPDATE billing_receipt r SET applied = billing_receipt_applied(r.id)
    WHERE r.id IN (SELECT receipt_id FROM new_rows);
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER billing_application_counts AFTER INSERT ON billing_application
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION billing_application_counts();
ALTER TABLE billing_application ENABLE ALWAYS TRIGGER billing_application_counts
"""

CREDIT = """
CREATE OR REPLACE FUNCTION billing_credit_within_billed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE bad record;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM new_rows WHERE credits_id IS NOT NULL) THEN RETURN NULL; END IF;
  PERFORM 1 FROM billing_invoice WHERE id IN
    (SELECT o.invoice_id FROM billing_invoiceline o JOIN new_rows n ON n.credits_id = o.id)
    ORDER BY id FOR NO KEY UPDATE;
  SELECT o.id, o.net, sum(-c.net) AS credited INTO bad
  FROM billing_invoiceline o JOIN billing_invoiceline c ON c.credits_id = o.id
  JOIN billing_invoice m ON m.id = c.invoice_id
  WHERE o.id IN (SELECT credits_id FROM new_rows) AND m.state <> 'void'
  GROUP BY o.id, o.net, o.tax
  HAVING sum(-c.net) * sign(o.net) NOT BETWEEN 0 AND abs(o.net)
      OR sum(-c.tax) * sign(o.tax) NOT BETWEEN 0 AND abs(o.tax) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'Line % billed %, credits of % are more than that', bad.id, bad.net, bad.credited
      USING ERRCODE = 'OC001';
  END IF;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER billing_credit_insert AFTER INSERT ON billing_invoiceline
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION billing_credit_within_billed();
ALTER TABLE billing_invoiceline ENABLE ALWAYS TRIGGER billing_credit_insert;
CREATE OR REPLACE TRIGGER billing_credit_update AFTER UPDATE ON billing_invoiceline
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION billing_credit_within_billed();
ALTER TABLE billing_invoiceline ENABLE ALWAYS TRIGGER billing_credit_update
"""

SUMS = """
CREATE OR REPLACE FUNCTION billing_invoice_applied(bigint) RETURNS numeric LANGUAGE sql AS $$
  SELECT coalesce((SELECT sum(amount) FROM billing_application WHERE invoice_id = $1), 0)
       - coalesce((SELECT sum(amount) FROM billing_application WHERE credit_memo_id = $1), 0)
$$;
CREATE OR REPLACE FUNCTION billing_receipt_applied(bigint) RETURNS numeric LANGUAGE sql AS $$
  SELECT coalesce(sum(amount), 0) FROM billing_application WHERE receipt_id = $1
$$
"""

RELEASE = """
CREATE OR REPLACE FUNCTION billing_run_is_recalculated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM billing_billrunchunk WHERE run_id = NEW.id AND differences IS DISTINCT FROM 0)
     OR EXISTS (SELECT 1 FROM billing_billrunfinding WHERE run_id = NEW.id AND severity = 'blocker') THEN
    RAISE EXCEPTION 'Run % has a blocking finding, or drafts that were not recalculated', NEW.number
      USING ERRCODE = 'OC001';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER billing_run_is_recalculated BEFORE UPDATE ON billing_billrun FOR EACH ROW
  WHEN (NEW.state = 'released' AND OLD.state <> 'released') EXECUTE FUNCTION billing_run_is_recalculated();
ALTER TABLE billing_billrun ENABLE ALWAYS TRIGGER billing_run_is_recalculated
"""

PROOF = """
CREATE OR REPLACE FUNCTION {table}_applied_is_true() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.applied <> {table}_applied(NEW.id) THEN
    RAISE EXCEPTION '{table}.applied is the sum of the applications and nothing else'
      USING ERRCODE = 'OC001';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER {table}_applied_is_true BEFORE UPDATE ON {table} FOR EACH ROW
  WHEN (OLD.applied IS DISTINCT FROM NEW.applied) EXECUTE FUNCTION {table}_applied_is_true();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_applied_is_true;
CREATE OR REPLACE TRIGGER {table}_applied_is_new BEFORE INSERT ON {table} FOR EACH ROW
  WHEN (NEW.applied <> 0) EXECUTE FUNCTION {table}_applied_is_true();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_applied_is_new
"""


def statements() -> list[str]:
    return [
        SUMS,
        APPLICATION,
        CREDIT,
        RELEASE,
        PROOF.format(table="billing_invoice"),
        PROOF.format(table="billing_receipt"),
        *refund_triggers.statements(),
    ]


def install(sender: AppConfig, **kwargs: Any) -> None:
    """post_migrate, by the role that owns the tables."""
    wanted = {
        "billing_invoice",
        "billing_receipt",
        "billing_application",
        "billing_billrun",
        "billing_refund",
    }
    if wanted <= set(connection.introspection.table_names()):
        with connection.cursor() as cursor:
            for statement in statements():
                cursor.execute(statement)
