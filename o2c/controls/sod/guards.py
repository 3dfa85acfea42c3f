"""What the database holds: acts under approval, and who decides the lines of a review."""

from o2c.audit.triggers import Trigger, always
from o2c.controls.approvals.sql import HOLDER, act_triggers
from o2c.controls.sod.policies import ACTS

DECIDED_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_review_decided() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE me bigint := o2c_actor();
BEGIN
  IF NEW.decided_by_id IS DISTINCT FROM me OR NOT o2c_person_holds(me, 'sod.review.decide') THEN
    RAISE EXCEPTION 'Line % of a review is decided by somebody with that duty, in their own name', NEW.id
      USING ERRCODE = 'OC006', TABLE = TG_TABLE_NAME;
  END IF;
  IF EXISTS (SELECT 1 FROM access_user u WHERE u.id = NEW.user_id AND me IN (u.id, u.owner_id)) THEN
    RAISE EXCEPTION 'S52: nobody certifies their own access, nor that of their accounts (line %)', NEW.id
      USING ERRCODE = 'OC007', TABLE = TG_TABLE_NAME;
  END IF;
  RETURN NEW;
END $$
"""

DECIDED = """
CREATE OR REPLACE TRIGGER o2c_review_decided BEFORE UPDATE ON sod_reviewitem FOR EACH ROW
  WHEN (NEW.state IN ('kept', 'revoked') AND OLD.state = 'pending'
        OR NEW.decided_by_id IS DISTINCT FROM OLD.decided_by_id)
  EXECUTE FUNCTION o2c_review_decided()
"""

TRIGGERS = [
    *(trigger for act in ACTS for trigger in act_triggers(act)),
    Trigger(
        "sod_reviewitem",
        "o2c_review_decided",
        (HOLDER, DECIDED_FUNCTION, DECIDED, always("sod_reviewitem", "o2c_review_decided")),
    ),
]
