"""What the database itself holds about the books: balance, closed periods, sealed journals.

Balance is a deferred constraint on the journal, checked at commit with all its lines. The other two
are statement-level, so that a run of thousands costs one check.
"""

from o2c.audit.triggers import Trigger, always

BALANCED_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_journal_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE d numeric; c numeric; fd numeric; fc numeric; n int;
BEGIN
  SELECT coalesce(sum(debit), 0), coalesce(sum(credit), 0), coalesce(sum(functional_debit), 0),
         coalesce(sum(functional_credit), 0), count(*) INTO d, c, fd, fc, n
  FROM ledger_journalline WHERE journal_id = NEW.id;
  IF d <> c OR fd <> fc OR n < 2 THEN
    RAISE EXCEPTION 'Journal % (% of %) does not balance: debit %, credit %, functional %, %',
      NEW.id, NEW.rule, NEW.event_key, d, c, fd, fc USING ERRCODE = 'OC003';
  END IF;
  RETURN NULL;
END $$
"""

BALANCED = """
CREATE CONSTRAINT TRIGGER o2c_balanced AFTER INSERT ON ledger_journal
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION o2c_journal_balanced()
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

NEW_JOURNAL_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_line_of_new_journal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM new_rows l JOIN ledger_journal j ON j.id = l.journal_id
             WHERE j.txid <> pg_current_xact_id()::text::bigint) THEN
    RAISE EXCEPTION 'A journal takes its lines in the transaction that posts it' USING ERRCODE = 'OC001';
  END IF;
  RETURN NULL;
END $$
"""

NEW_JOURNAL = """
CREATE OR REPLACE TRIGGER o2c_new_journal AFTER INSERT ON ledger_journalline
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION o2c_line_of_new_journal()
"""

TRIGGERS = [
    Trigger(
        "ledger_journal",
        "o2c_balanced",
        (
            BALANCED_FUNCTION,
            "DROP TRIGGER IF EXISTS o2c_balanced ON ledger_journal",  # these cannot be replaced
            BALANCED,
            always("ledger_journal", "o2c_balanced"),
        ),
    ),
    Trigger(
        "ledger_journal",
        "o2c_open_period",
        (OPEN_PERIOD_FUNCTION, OPEN_PERIOD, always("ledger_journal", "o2c_open_period")),
    ),
    Trigger(
        "ledger_journalline",
        "o2c_new_journal",
        (NEW_JOURNAL_FUNCTION, NEW_JOURNAL, always("ledger_journalline", "o2c_new_journal")),
    ),
]
