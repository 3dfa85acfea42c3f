"""What the database holds about jobs: a worker does one in the name of whoever asked.

So nobody asks in another's name, changes what is done in it, or has it done once more. Progress is the
worker's to write, whoever acts there. SQLSTATE OC001.
"""

from o2c.audit.triggers import Trigger, always
from o2c.runtime.tasks import KEEP_JOBS

FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_job_guarded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    PERFORM o2c_known_actor();
    IF NEW.actor_id NOT IN (
        o2c_actor(), coalesce(nullif(current_setting('o2c.on_behalf_of_id', true), '')::bigint, o2c_actor()))
    THEN
      RAISE EXCEPTION 'A job is asked for in one''s own name: user % is not who is acting', NEW.actor_id
        USING ERRCODE = 'OC001', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
  END IF;
  IF TG_OP = 'DELETE' THEN
    IF OLD.finished_at IS NULL OR OLD.finished_at > clock_timestamp() - interval '{days} days' THEN
      RAISE EXCEPTION 'Job % stays on record until {days} days after its end', OLD.id
        USING ERRCODE = 'OC001', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN OLD;
  END IF;
  IF ROW(NEW.actor_id, NEW.kind, NEW.arguments, NEW.key, NEW.reason, NEW.created_at) IS DISTINCT FROM
     ROW(OLD.actor_id, OLD.kind, OLD.arguments, OLD.key, OLD.reason, OLD.created_at) THEN
    RAISE EXCEPTION 'What job % does, and for whom, never changes: ask for another', OLD.id
      USING ERRCODE = 'OC001', TABLE = TG_TABLE_NAME;
  END IF;
  IF OLD.finished_at IS NOT NULL AND NEW IS DISTINCT FROM OLD THEN
    RAISE EXCEPTION 'Job % has ended and is not begun again: ask for another', OLD.id
      USING ERRCODE = 'OC001', TABLE = TG_TABLE_NAME;
  END IF;
  IF NEW.finished_at < clock_timestamp() - interval '1 hour' THEN
    RAISE EXCEPTION 'Job % ends when it ends, not before', OLD.id
      USING ERRCODE = 'OC001', TABLE = TG_TABLE_NAME;
  END IF;
  RETURN NEW;
END $$
""".replace("{days}", str(KEEP_JOBS.days))

GUARD = """
CREATE OR REPLACE TRIGGER o2c_job_guarded BEFORE INSERT OR UPDATE OR DELETE ON runtime_job
  FOR EACH ROW EXECUTE FUNCTION o2c_job_guarded()
"""

TRIGGERS = [
    Trigger("runtime_job", "o2c_job_guarded", (FUNCTION, GUARD, always("runtime_job", "o2c_job_guarded"))),
]
