"""What the database holds about emergency access: who signs, who is a third, and no close over it."""

from o2c.audit.triggers import Trigger, always
from o2c.controls.approvals.sql import HOLDER

SIGNED_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_breakglass_signed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE me bigint := o2c_actor();
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.user_id <> me OR NEW.authorised_by_id IS NOT NULL OR NEW.reviewed_by_id IS NOT NULL THEN
      RAISE EXCEPTION 'Emergency access is asked for by whoever needs it, and opened by somebody else'
        USING ERRCODE = 'OC006', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
  END IF;
  IF NEW.authorised_by_id IS DISTINCT FROM OLD.authorised_by_id
     AND (NEW.authorised_by_id IS DISTINCT FROM me OR OLD.authorised_by_id IS NOT NULL
          OR NOT o2c_person_holds(me, 'breakglass.session.authorise')) THEN
    RAISE EXCEPTION 'Emergency access % is opened by somebody with that duty, in their own name', NEW.id
      USING ERRCODE = 'OC006', TABLE = TG_TABLE_NAME;
  END IF;
  IF NEW.reviewed_by_id IS DISTINCT FROM OLD.reviewed_by_id
     AND (NEW.reviewed_by_id IS DISTINCT FROM me OR NEW.ends_at > clock_timestamp()
          OR NOT o2c_person_holds(me, 'breakglass.session.review')) THEN
    RAISE EXCEPTION 'Emergency access % is reviewed by a third person with that duty, once it is over', NEW.id
      USING ERRCODE = 'OC006', TABLE = TG_TABLE_NAME;
  END IF;
  IF OLD.opened_at IS NOT NULL AND (NEW.opened_at <> OLD.opened_at OR NEW.ends_at > OLD.ends_at
                                    OR NEW.review_due_at <> OLD.review_due_at) THEN
    RAISE EXCEPTION 'Emergency access % is never made longer', NEW.id
      USING ERRCODE = 'OC006', TABLE = TG_TABLE_NAME;
  END IF;
  RETURN NEW;
END $$
"""

SIGNED = """
CREATE OR REPLACE TRIGGER o2c_breakglass_signed BEFORE INSERT OR UPDATE ON breakglass_session
  FOR EACH ROW EXECUTE FUNCTION o2c_breakglass_signed()
"""

CLOSE_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_no_close_over_breakglass() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE waiting bigint;
BEGIN
  SELECT id INTO waiting FROM breakglass_session WHERE opened_at IS NOT NULL AND state <> 'reviewed' LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'Period % is not closed while emergency access % waits for its review', NEW.name, waiting
      USING ERRCODE = 'OC006', TABLE = TG_TABLE_NAME;
  END IF;
  RETURN NEW;
END $$
"""

CLOSE = """
CREATE OR REPLACE TRIGGER o2c_breakglass BEFORE UPDATE ON ledger_accountingperiod
  FOR EACH ROW WHEN (NEW.state = 'closed' AND OLD.state <> 'closed')
  EXECUTE FUNCTION o2c_no_close_over_breakglass()
"""

TRIGGERS = [
    Trigger(
        "breakglass_session",
        "o2c_breakglass_signed",
        (HOLDER, SIGNED_FUNCTION, SIGNED, always("breakglass_session", "o2c_breakglass_signed")),
    ),
]

# Listed by the ledger, whose table it is on.
NO_CLOSE = Trigger(
    "ledger_accountingperiod",
    "o2c_breakglass",
    (CLOSE_FUNCTION, CLOSE, always("ledger_accountingperiod", "o2c_breakglass")),
)
