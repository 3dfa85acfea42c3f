"""What the database holds about partners beyond declarations: approvals, bank details, refunds."""

from o2c.audit.triggers import Trigger, always
from o2c.controls.approvals.sql import act_triggers
from o2c.ledger.sources import Source, journal_guard, written
from partners.policies import ACTS
from partners.postings import RULES
from partners.selectors.events import AGREEMENT_OF

_COUNTS = (
    "x.action IN ('INVOICED', 'FORGIVEN')"
    " AND x.transaction_type IN ('SELLER_REV_SHARE', 'SELLER_REV_SHARE_REFUND')"
)
# Of one agreement on one invoice at AWS, before tax: what AWS billed, what we asked it to give back, what it
# gave back unasked, and the day of the invoice. A refund line belongs to the invoice of what it takes back.
REFUNDABLE = f"""
CREATE OR REPLACE FUNCTION partners_refundable(agreement bigint, invoice text)
RETURNS TABLE (billed numeric, asked numeric, unasked numeric, invoiced_on date) LANGUAGE sql STABLE AS $$
  WITH named AS (
    SELECT x.billing_event_id FROM partners_billingevent x WHERE x.buyer_invoice_id = invoice AND {_COUNTS}
  ), wanted AS (
    SELECT n.billing_event_id FROM named n
    UNION SELECT x.billing_event_id FROM named n
    JOIN partners_billingevent x ON x.parent_id = n.billing_event_id WHERE {_COUNTS}
  ), c AS (
    SELECT DISTINCT ON (x.billing_event_id) x.* FROM wanted w
    JOIN partners_billingevent x ON x.billing_event_id = w.billing_event_id
    JOIN partners_awsagreement a ON a.channel_id = x.channel_id
    WHERE a.id = agreement AND {_COUNTS} ORDER BY x.billing_event_id, x.update_date DESC, x.id DESC
  ), current AS (
    SELECT c.*, {AGREEMENT_OF} AS agreement_id FROM c WHERE NOT c.deleted
  ), event AS (
    SELECT e.*, coalesce(p.buyer_invoice_id, e.buyer_invoice_id) AS of_invoice
    FROM current e LEFT JOIN current p ON p.billing_event_id = e.parent_id AND e.parent_id <> ''
    WHERE coalesce(e.agreement_id, p.agreement_id) = agreement
  )
  SELECT coalesce(sum(e.amount) FILTER (WHERE e.transaction_type = 'SELLER_REV_SHARE'), 0),
         (SELECT coalesce(sum(r.amount), 0) FROM partners_marketplacerefund r
          WHERE r.agreement_id = agreement AND r.invoice_ref = invoice
            AND r.state NOT IN ('rejected', 'cancelled')),
         coalesce(sum(-e.amount) FILTER (WHERE e.transaction_type <> 'SELLER_REV_SHARE' AND NOT EXISTS (
           SELECT 1 FROM partners_refundline l
           WHERE l.channel_id = e.channel_id AND l.billing_event_id = e.billing_event_id)), 0),
         min(e.invoiced_at AT TIME ZONE 'UTC') FILTER (WHERE e.transaction_type = 'SELLER_REV_SHARE')::date
  FROM event e WHERE e.of_invoice = invoice
$$
"""  # noqa: S608

# The agreement's row is the queue: of two refunds that race, the second sees the first.
WITHIN_FUNCTION = """
CREATE OR REPLACE FUNCTION partners_refund_within_billed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE found record;
BEGIN
  PERFORM 1 FROM partners_awsagreement WHERE id = NEW.agreement_id FOR NO KEY UPDATE;
  SELECT * INTO found FROM partners_refundable(NEW.agreement_id, NEW.invoice_ref);
  IF found.asked + found.unasked > found.billed THEN
    RAISE EXCEPTION 'Invoice % of AWS billed %, refunds of % are more than that',
      NEW.invoice_ref, found.billed, found.asked + found.unasked
      USING ERRCODE = 'OC001', TABLE = TG_TABLE_NAME;
  END IF;
  IF NEW.currency <> (SELECT currency FROM partners_awsagreement WHERE id = NEW.agreement_id) THEN
    RAISE EXCEPTION 'A refund has the currency of its agreement'
      USING ERRCODE = 'OC001', TABLE = TG_TABLE_NAME;
  END IF;
  RETURN NULL;
END $$
"""

NO_BANK_FUNCTION = """
CREATE OR REPLACE FUNCTION partners_channel_without_bank() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'A new channel has no bank details: they are changed by an approved request'
    USING ERRCODE = 'OC006', TABLE = TG_TABLE_NAME;
END $$
"""


def _within(name: str, when: str) -> Trigger:
    table = "partners_marketplacerefund"
    make = f"CREATE OR REPLACE TRIGGER {name} AFTER {when} EXECUTE FUNCTION partners_refund_within_billed()"
    return Trigger(table, name, (REFUNDABLE, WITHIN_FUNCTION, make, always(table, name)))


def _no_bank() -> Trigger:
    table, name = "partners_channel", "o2c_no_bank"
    make = (
        f"CREATE OR REPLACE TRIGGER {name} BEFORE INSERT ON {table} FOR EACH ROW"
        " WHEN (NEW.bank_name <> '' OR NEW.bank_account <> '' OR NEW.bank_routing <> '' OR NEW.swift <> '')"
        f" EXECUTE FUNCTION partners_channel_without_bank()"
    )
    return Trigger(table, name, (NO_BANK_FUNCTION, make, always(table, name)))


# Fees, taxes and payments of the marketplace's feed have keys of their own (`SettlementPosting.event_key`).
POSTING = """
SELECT FROM partners_settlementposting e
WHERE e.channel_id = j.event_id AND e.recorded_at >= transaction_timestamp() AND e.rule = j.rule
  AND j.event_key = left('aws:' || e.channel_id || ':' || e.sequence || ':' || e.billing_event_id, 80)
"""

BREAK = Source(
    "partners.break",
    ("marketplace.write_off",),
    written("partners_break", "e.state = 'resolved'"),
)


TRIGGERS = [
    journal_guard("aws", (Source("aws", tuple({rule.name: None for rule in RULES}), POSTING),)),
    journal_guard("partners", (BREAK,)),
    _within("o2c_refund_new", "INSERT ON partners_marketplacerefund FOR EACH ROW"),
    _within(
        "o2c_refund_approved",
        "UPDATE ON partners_marketplacerefund FOR EACH ROW"
        " WHEN (NEW.state = 'approved' AND OLD.state <> 'approved')",
    ),
    _no_bank(),
    *(trigger for act in ACTS for trigger in act_triggers(act)),
]
"""Bank details come by an approved request only; a refund never exceeds what AWS billed."""
