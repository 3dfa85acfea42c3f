"""What the database holds about the signatures of a close: each is given by its owner."""

from o2c.audit.triggers import Trigger, always
from o2c.controls.approvals.sql import act_triggers
from revenue.policies import ACTS

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

TRIGGERS = [
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
]
