"""What the database holds about signatures of a close and judgements: given by their owner, done as said."""

from o2c.audit.triggers import Trigger, always
from o2c.controls.approvals.sql import act_triggers
from o2c.ledger.sources import Source, journal_guard
from revenue.policies import ACTS
from revenue.postings import RULES

TREATMENT = next(act for act in ACTS if act.code == "revenue.treatment.approve")

SIGN_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_close_signed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE me bigint := o2c_actor();
BEGIN
  IF NEW.prepared_by_id IS DISTINCT FROM OLD.prepared_by_id AND NEW.prepared_by_id <> me
     OR NEW.reviewed_by_id IS DISTINCT FROM OLD.reviewed_by_id AND NEW.reviewed_by_id <> me
     OR NEW.reopening_asked_by_id IS DISTINCT FROM OLD.reopening_asked_by_id
        AND NEW.reopening_asked_by_id <> me
     OR NEW.reopened_by_id IS DISTINCT FROM OLD.reopened_by_id AND NEW.reopened_by_id <> me THEN
    RAISE EXCEPTION 'A signature on close % is given by its owner and nobody else', NEW.id
      USING ERRCODE = 'OC001';
  END IF;
  RETURN NEW;
END $$
"""

SIGN = """
CREATE OR REPLACE TRIGGER o2c_close_signed BEFORE UPDATE ON revenue_closerun
  FOR EACH ROW EXECUTE FUNCTION o2c_close_signed()
"""

UNSIGNED = """
CREATE OR REPLACE TRIGGER o2c_close_unsigned BEFORE INSERT ON revenue_closerun FOR EACH ROW
  WHEN (NEW.prepared_by_id IS NOT NULL OR NEW.reviewed_by_id IS NOT NULL
        OR NEW.reopening_asked_by_id IS NOT NULL OR NEW.reopened_by_id IS NOT NULL)
  EXECUTE FUNCTION o2c_refuse('A close begins without signatures (%s)')
"""

# Who proposed a treatment, or drafted the amendment, does not decide about it (S38).
JUDGED_BY_FUNCTION = f"""
CREATE OR REPLACE FUNCTION o2c_judgement_signed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.decided_by_id <> o2c_actor() THEN
    RAISE EXCEPTION 'A decision about judgement % is given by its owner and nobody else', NEW.id
      USING ERRCODE = 'OC001';
  END IF;
  IF NEW.state = 'approved' AND NEW.decided_by_id IN (SELECT {TREATMENT.authors_function}(NEW.id)) THEN
    RAISE EXCEPTION 'Who proposed judgement %, or drafted its amendment, does not approve it', NEW.id
      USING ERRCODE = 'OC001';
  END IF;
  RETURN NEW;
END $$
"""

JUDGED_BY = """
CREATE OR REPLACE TRIGGER o2c_judgement_signed BEFORE UPDATE ON revenue_treatmentjudgement FOR EACH ROW
  WHEN (NEW.decided_by_id IS DISTINCT FROM OLD.decided_by_id
        OR NEW.state = 'approved' AND OLD.state <> 'approved')
  EXECUTE FUNCTION o2c_judgement_signed()
"""

# An approved judgement is in its contract, as it said: the version that it made differs from the one before
# by the months that were decided about, and by nothing else.
JUDGEMENT_COUNTS_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_judgement_counts() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE made revenue_contractversion%ROWTYPE;
BEGIN
  SELECT w.* INTO made FROM revenue_contractversion w
  JOIN revenue_contractversion v ON v.id = NEW.version_id AND v.contract_id = w.contract_id
  WHERE w.cause = 'judged' AND w.source = 'revenue.treatmentjudgement:' || NEW.id;
  IF made.id IS NULL OR EXISTS (
    SELECT 1 FROM (
      SELECT s.obligation_id, s.month,
             sum(s.amount * CASE WHEN s.version_id = made.id THEN 1 ELSE -1 END) AS moved
      FROM revenue_scheduleslice s JOIN revenue_contractversion v ON v.id = s.version_id
      WHERE v.contract_id = made.contract_id AND v.number IN (made.number, made.number - 1)
        AND s.kind = 'revenue' GROUP BY 1, 2) s
    FULL JOIN (SELECT obligation_id, month, after - before AS moved FROM revenue_judgedmonth
               WHERE judgement_id = NEW.id) m USING (obligation_id, month)
    WHERE coalesce(s.moved, 0) <> coalesce(m.moved, 0)) THEN
    RAISE EXCEPTION 'Judgement % is approved only together with the contract version that it said', NEW.id
      USING ERRCODE = 'OC001';
  END IF;
  RETURN NULL;
END $$
"""

JUDGEMENT_COUNTS = """
CREATE CONSTRAINT TRIGGER o2c_judgement_counts AFTER UPDATE ON revenue_treatmentjudgement
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state = 'approved' AND OLD.state <> 'approved')
  EXECUTE FUNCTION o2c_judgement_counts()
"""

# No version says that it was judged without a judgement that was approved in the same transaction.
VERSION_JUDGED_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_version_judged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
    SELECT 1 FROM revenue_treatmentjudgement j JOIN revenue_contractversion v ON v.id = j.version_id
    JOIN revenue_historicaltreatmentjudgement h ON h.id = j.id AND h.state = 'approved'
      AND h.history_txid = pg_current_xact_id()::text::bigint
    WHERE NEW.source = 'revenue.treatmentjudgement:' || j.id AND v.contract_id = NEW.contract_id
      AND j.state = 'approved') THEN
    RAISE EXCEPTION 'Version % of contract % says that it was judged, and no judgement was approved with it',
      NEW.number, NEW.contract_id USING ERRCODE = 'OC001';
  END IF;
  RETURN NULL;
END $$
"""

VERSION_JUDGED = """
CREATE CONSTRAINT TRIGGER o2c_version_judged AFTER INSERT ON revenue_contractversion
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.cause = 'judged')
  EXECUTE FUNCTION o2c_version_judged()
"""


def _deferred(table: str, name: str, function: str, make: str) -> Trigger:
    """A constraint trigger cannot be replaced, only dropped and made again."""
    drop = f"DROP TRIGGER IF EXISTS {name} ON {table}"
    return Trigger(table, name, (function, drop, make, always(table, name)))


# A run posts contract by contract, each in a transaction of its own: in its period, reversals after it.
_RUN = "SELECT FROM revenue_recognitionrun e WHERE e.id = j.event_id AND e.entity_id = j.entity_id"
REVERSALS = ("revenue.asset_reversed", "revenue.fx_reversed")
RUN = (
    Source(
        "revenue.recognitionrun",
        tuple(rule for rule in RULES if rule not in REVERSALS),
        f"{_RUN} AND e.period_id = j.period_id",
    ),
    Source("revenue.recognitionrun", REVERSALS, _RUN),
)

TRIGGERS = [
    journal_guard("revenue", RUN),
    *(trigger for act in ACTS for trigger in act_triggers(act)),
    Trigger(
        "revenue_closerun",
        "o2c_close_signed",
        (SIGN_FUNCTION, SIGN, always("revenue_closerun", "o2c_close_signed")),
    ),
    Trigger(
        "revenue_closerun",
        "o2c_close_unsigned",
        (UNSIGNED, always("revenue_closerun", "o2c_close_unsigned")),
    ),
    Trigger(
        "revenue_treatmentjudgement",
        "o2c_judgement_signed",
        (JUDGED_BY_FUNCTION, JUDGED_BY, always("revenue_treatmentjudgement", "o2c_judgement_signed")),
    ),
    _deferred(
        "revenue_treatmentjudgement", "o2c_judgement_counts", JUDGEMENT_COUNTS_FUNCTION, JUDGEMENT_COUNTS
    ),
    _deferred("revenue_contractversion", "o2c_version_judged", VERSION_JUDGED_FUNCTION, VERSION_JUDGED),
]
