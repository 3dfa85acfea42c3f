"""What the database holds about the acts of this app under approval, and about grants that are given."""

from o2c.access.policies import ACTS, GOVERNING
from o2c.audit.triggers import Trigger, always, lit
from o2c.controls.approvals.sql import HOLDER, act_triggers

# Longer is a new grant, which is asked for anew.
SHORTER = """
CREATE OR REPLACE TRIGGER o2c_grant_never_longer BEFORE UPDATE ON access_rolegrant FOR EACH ROW
  WHEN (OLD.valid_to IS NOT NULL AND (NEW.valid_to IS NULL OR NEW.valid_to > OLD.valid_to))
  EXECUTE FUNCTION o2c_refuse('A grant in %s is never made longer: give the role anew')
"""

# Whoever holds a role of which a duty governs the controls was agreed to with it (S49).
GOVERNS_FUNCTION = f"""
CREATE OR REPLACE FUNCTION o2c_role_comes_to_govern() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF o2c_actor() <> 0 AND NEW.duty IN ({", ".join(map(lit, GOVERNING))}) AND EXISTS (
      SELECT 1 FROM access_rolegrant g WHERE g.role_id = NEW.role_id
      AND (g.valid_to IS NULL OR g.valid_to > clock_timestamp())) THEN
    RAISE EXCEPTION 'Somebody holds role %: a duty that governs the controls is added while nobody does',
      (SELECT code FROM access_role WHERE id = NEW.role_id) USING ERRCODE = 'OC006', TABLE = TG_TABLE_NAME;
  END IF;
  RETURN NEW;
END $$
"""  # noqa: S608

GOVERNS = """
CREATE OR REPLACE TRIGGER o2c_role_comes_to_govern BEFORE INSERT OR UPDATE ON access_roleduty
  FOR EACH ROW EXECUTE FUNCTION o2c_role_comes_to_govern()
"""

# Giving a role takes the duty to give roles, held by a role: not lent, not said.
GIVEN_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_role_given() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF o2c_actor() <> 0 AND NOT o2c_person_holds(o2c_actor(), 'access.role.grant') THEN
    RAISE EXCEPTION 'User % gives no role: that takes the duty access.role.grant', o2c_actor()
      USING ERRCODE = 'OC006', TABLE = TG_TABLE_NAME;
  END IF;
  RETURN NULL;
END $$
"""

GIVEN = """
CREATE OR REPLACE TRIGGER o2c_role_given BEFORE INSERT ON access_rolegrant
  FOR EACH STATEMENT EXECUTE FUNCTION o2c_role_given()
"""

# Its hash is kept out of history; that it changed, and by whom, is not: with it one is somebody else.
HASH_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_password_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.password_changed_at IS NOT DISTINCT FROM OLD.password_changed_at
     OR o2c_actor() NOT IN (0, NEW.id) AND NOT o2c_person_holds(o2c_actor(), 'access.user.maintain') THEN
    RAISE EXCEPTION 'The password of user % is changed by them or by who maintains users, and leaves a trace',
      NEW.id USING ERRCODE = 'OC006', TABLE = TG_TABLE_NAME;
  END IF;
  RETURN NEW;
END $$
"""

HASH = """
CREATE OR REPLACE TRIGGER o2c_password_changed BEFORE UPDATE ON access_user FOR EACH ROW
  WHEN (NEW.password IS DISTINCT FROM OLD.password) EXECUTE FUNCTION o2c_password_changed()
"""

TRIGGERS = [
    Trigger(
        "access_rolegrant",
        "o2c_role_given",
        (HOLDER, GIVEN_FUNCTION, GIVEN, always("access_rolegrant", "o2c_role_given")),
    ),
    Trigger(
        "access_user",
        "o2c_password_changed",
        (HASH_FUNCTION, HASH, always("access_user", "o2c_password_changed")),
    ),
    *(trigger for act in ACTS for trigger in act_triggers(act)),
    Trigger(
        "access_rolegrant",
        "o2c_grant_never_longer",
        (SHORTER, always("access_rolegrant", "o2c_grant_never_longer")),
    ),
    Trigger(
        "access_roleduty",
        "o2c_role_comes_to_govern",
        (GOVERNS_FUNCTION, GOVERNS, always("access_roleduty", "o2c_role_comes_to_govern")),
    ),
]
