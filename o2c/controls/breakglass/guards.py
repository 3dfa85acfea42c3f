"""What the database holds about emergency access: who signs, who is a third, and no close over it."""

from o2c.audit.triggers import Trigger, always
from o2c.controls.approvals.sql import HOLDER
from o2c.controls.breakglass.lent import NOT_LENT, READING, SECOND
from o2c.controls.sod.borrowing import borrowed_function
from o2c.controls.sod.functions import DECIDING

SIGNED_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_breakglass_signed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE me bigint := o2c_actor(); wrong text; bad record; days int;
BEGIN
  IF TG_OP = 'INSERT' THEN
    SELECT duty INTO wrong FROM unnest(NEW.duties) duty
      WHERE split_part(duty, '.', 1) IN ({apps}) OR substring(duty FROM '[^.]+$') IN ({reading})
         OR duty LIKE '%.approve%' OR duty IN ({second})
         OR duty IN (SELECT f.duty FROM sod_functionduty f WHERE f.function IN ({deciding}))
         OR duty IN (SELECT s ->> 'duty' FROM approvals_policy p, jsonb_array_elements(p.content -> 'steps') s
                     WHERE p.state = 'active') LIMIT 1;
    IF FOUND THEN
      RAISE EXCEPTION 'Emergency access lends work: not %', wrong
        USING ERRCODE = 'OC006', TABLE = TG_TABLE_NAME;
    END IF;
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
  IF OLD.opened_at IS NULL AND NEW.opened_at IS NOT NULL THEN
    -- It begins when it is opened, and lasts as long as was asked, whatever the row says.
    NEW.opened_at := clock_timestamp();
    NEW.ends_at := NEW.opened_at + NEW.hours * interval '1 hour';
    SELECT count(*) INTO days FROM generate_series(
        (NEW.ends_at AT TIME ZONE 'UTC')::date + 1, (NEW.review_due_at AT TIME ZONE 'UTC')::date,
        interval '1 day') AS d(day)
      WHERE extract(isodow FROM d.day) < 6
        AND NOT EXISTS (SELECT 1 FROM approvals_holiday h WHERE h.day = d.day::date);
    IF NEW.review_due_at < NEW.ends_at OR days > 5 THEN
      RAISE EXCEPTION 'Emergency access % is reviewed within five working days of its end, not by %',
        NEW.id, NEW.review_due_at USING ERRCODE = 'OC006', TABLE = TG_TABLE_NAME;
    END IF;
    SELECT * INTO bad FROM o2c_sod_borrowed(NEW.user_id, NEW.duties::text[]) LIMIT 1;
    IF FOUND THEN
      RAISE EXCEPTION '%: by emergency access % % would hold both % and %', bad.rule, NEW.id,
        (SELECT username FROM access_user WHERE id = NEW.user_id), bad.duty_a, bad.duty_b
        USING ERRCODE = 'OC007', TABLE = TG_TABLE_NAME;
    END IF;
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


def _signed() -> str:
    named = {"apps": NOT_LENT, "reading": READING, "deciding": DECIDING, "second": SECOND}
    text = SIGNED_FUNCTION
    for place, values in named.items():
        text = text.replace(f"{{{place}}}", ", ".join(f"'{value}'" for value in values))
    return text


TRIGGERS = [
    Trigger(
        "breakglass_session",
        "o2c_breakglass_signed",
        (
            HOLDER,
            borrowed_function(),
            _signed(),
            SIGNED,
            always("breakglass_session", "o2c_breakglass_signed"),
        ),
    ),
]

# Listed by the ledger, whose table it is on.
NO_CLOSE = Trigger(
    "ledger_accountingperiod",
    "o2c_breakglass",
    (CLOSE_FUNCTION, CLOSE, always("ledger_accountingperiod", "o2c_breakglass")),
)
