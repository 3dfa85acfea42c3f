"""What the database itself holds about the books: balance, closed periods, sealed journals.

A journal takes all its lines in one statement, in the transaction that posts it, and they balance
there; a deferred constraint makes sure at commit that it took any. So a run of thousands costs a few
set-based checks.
"""

from o2c.audit.triggers import Trigger, always
from o2c.controls.approvals.sql import act_triggers
from o2c.controls.breakglass.guards import NO_CLOSE
from o2c.ledger.policies import ACTS
from o2c.ledger.sources import KNOWN_SOURCES

HAS_LINES_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_journal_has_lines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM ledger_journalline WHERE journal_id = NEW.id LIMIT 1;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'Journal % (% of %) has no lines', NEW.id, NEW.rule, NEW.event_key
      USING ERRCODE = 'OC003';
  END IF;
  RETURN NULL;
END $$
"""

HAS_LINES = """
CREATE CONSTRAINT TRIGGER o2c_has_lines AFTER INSERT ON ledger_journal
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION o2c_journal_has_lines()
"""

BALANCED_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_journal_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE bad record;
BEGIN
  IF EXISTS (SELECT 1 FROM new_rows l JOIN ledger_journal j ON j.id = l.journal_id
             WHERE j.txid <> pg_current_xact_id()::text::bigint) THEN
    RAISE EXCEPTION 'A journal takes its lines in the transaction that posts it' USING ERRCODE = 'OC001';
  END IF;
  SELECT n.journal_id, n.difference, n.functional_difference, n.lines INTO bad
  FROM (SELECT journal_id, sum(debit) - sum(credit) AS difference,
               sum(functional_debit) - sum(functional_credit) AS functional_difference, count(*) AS lines
        FROM new_rows GROUP BY journal_id) n
  WHERE n.difference <> 0 OR n.functional_difference <> 0 OR n.lines < 2
     OR n.lines <> (SELECT count(*) FROM ledger_journalline l WHERE l.journal_id = n.journal_id)
  LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'Journal % does not balance in one statement: % lines, off by %, functional %',
      bad.journal_id, bad.lines, bad.difference, bad.functional_difference USING ERRCODE = 'OC003';
  END IF;
  RETURN NULL;
END $$
"""

BALANCED = """
CREATE OR REPLACE TRIGGER o2c_balanced AFTER INSERT ON ledger_journalline
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION o2c_journal_balanced()
"""

OPEN_PERIOD_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_journal_period() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE bad record;
BEGIN
  PERFORM 1 FROM ledger_accountingperiod m
    WHERE m.id IN (SELECT period_id FROM new_rows) ORDER BY m.id FOR SHARE;
  SELECT j.event_key, j.posting_date, m.name, m.state INTO bad
  FROM new_rows j JOIN ledger_accountingperiod m ON m.id = j.period_id
  WHERE m.state = 'closed' OR m.entity_id <> j.entity_id
     OR j.posting_date < m.starts_on OR j.posting_date >= m.ends_on LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'Period % is % and takes no journal dated % (%)',
      bad.name, bad.state, bad.posting_date, bad.event_key USING ERRCODE = 'OC004';
  END IF;
  RETURN NULL;
END $$
"""

OPEN_PERIOD = """
CREATE OR REPLACE TRIGGER o2c_open_period AFTER INSERT ON ledger_journal
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION o2c_journal_period()
"""

# An entry by hand comes from a posted manual journal, in the transaction that posts it, line for line.
MANUAL_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_manual_journal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
    SELECT 1 FROM ledger_manualjournal m WHERE 'ledger.manualjournal:' || m.id = NEW.event_key
      AND m.state = 'posted' AND m.entity_id = NEW.entity_id AND m.currency = NEW.currency
      AND m.posting_date = NEW.posting_date)
    OR EXISTS (
      (SELECT l.account_id, l.debit, l.credit FROM ledger_manualline l
       WHERE 'ledger.manualjournal:' || l.journal_id = NEW.event_key)
      EXCEPT ALL
      (SELECT l.account_id, l.debit, l.credit FROM ledger_journalline l WHERE l.journal_id = NEW.id))
    OR EXISTS (
      (SELECT l.account_id, l.debit, l.credit FROM ledger_journalline l WHERE l.journal_id = NEW.id)
      EXCEPT ALL (SELECT l.account_id, l.debit, l.credit FROM ledger_manualline l
       WHERE 'ledger.manualjournal:' || l.journal_id = NEW.event_key)) THEN
    RAISE EXCEPTION 'Journal % is not what a posted manual journal says (%)', NEW.id, NEW.event_key
      USING ERRCODE = 'OC006';
  END IF;
  RETURN NULL;
END $$
"""

MANUAL = """
CREATE CONSTRAINT TRIGGER o2c_manual AFTER INSERT ON ledger_journal DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW WHEN (NEW.rule = 'manual.posted' OR starts_with(NEW.event_key, 'ledger.manualjournal:'))
  EXECUTE FUNCTION o2c_manual_journal()
"""

# A rate that something was booked with stays: policies read it at commit, and the books said it. One that
# nothing was booked with yet may still be set right; history says by whom.
RATE_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_rate_booked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM ledger_journal j JOIN ledger_legalentity e ON e.id = j.entity_id
             WHERE j.posting_date >= OLD.valid_on
               AND (j.currency = OLD.from_currency AND e.currency = OLD.to_currency
                    OR j.currency = OLD.to_currency AND e.currency = OLD.from_currency)) THEN
    RAISE EXCEPTION 'The rate of %/% of % does not change: journals were posted since', OLD.from_currency,
      OLD.to_currency, OLD.valid_on USING ERRCODE = 'OC001', TABLE = TG_TABLE_NAME;
  END IF;
  RETURN NEW;
END $$
"""

RATE = """
CREATE OR REPLACE TRIGGER o2c_rate_booked BEFORE UPDATE ON ledger_exchangerate FOR EACH ROW
  WHEN (ROW(NEW.from_currency, NEW.to_currency, NEW.valid_on, NEW.rate) IS DISTINCT FROM
        ROW(OLD.from_currency, OLD.to_currency, OLD.valid_on, OLD.rate))
  EXECUTE FUNCTION o2c_rate_booked()
"""

TRIGGERS = [
    NO_CLOSE,
    KNOWN_SOURCES,
    Trigger(
        "ledger_exchangerate",
        "o2c_rate_booked",
        (RATE_FUNCTION, RATE, always("ledger_exchangerate", "o2c_rate_booked")),
    ),
    Trigger(
        "ledger_journal",
        "o2c_manual",
        (
            MANUAL_FUNCTION,
            "DROP TRIGGER IF EXISTS o2c_manual ON ledger_journal",
            MANUAL,
            always("ledger_journal", "o2c_manual"),
        ),
    ),
    *(trigger for act in ACTS for trigger in act_triggers(act)),
    Trigger(
        "ledger_journal",
        "o2c_has_lines",
        (
            HAS_LINES_FUNCTION,
            "DROP TRIGGER IF EXISTS o2c_has_lines ON ledger_journal",  # these cannot be replaced
            HAS_LINES,
            always("ledger_journal", "o2c_has_lines"),
        ),
    ),
    Trigger(
        "ledger_journal",
        "o2c_open_period",
        (OPEN_PERIOD_FUNCTION, OPEN_PERIOD, always("ledger_journal", "o2c_open_period")),
    ),
    Trigger(
        "ledger_journalline",
        "o2c_balanced",
        (BALANCED_FUNCTION, BALANCED, always("ledger_journalline", "o2c_balanced")),
    ),
]
