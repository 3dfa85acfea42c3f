"""What the database holds about the seals: nothing changes, and a block continues the chain."""

from __future__ import annotations

from o2c.audit.triggers import Trigger, always

BLOCK_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_block() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE head audit_block; found bigint;
BEGIN
  SELECT * INTO head FROM audit_block ORDER BY n DESC LIMIT 1;
  IF NEW.n <> coalesce(head.n, 0) + 1 OR NEW.prev <> coalesce(head.hash, repeat('0', 64)) THEN
    RAISE EXCEPTION 'Block % does not follow the head of the chain, %', NEW.n, coalesce(head.n, 0)
      USING ERRCODE = 'OC001';
  END IF;
  IF NEW.upto_xid > pg_snapshot_xmin(pg_current_snapshot())::text::bigint THEN
    RAISE EXCEPTION 'Block % reaches into transactions that may still be running', NEW.n
      USING ERRCODE = 'OC001';
  END IF;
  IF NEW.kind = 'epoch' THEN
    IF head.n IS NULL OR NEW.epoch <> head.epoch + 1 OR NEW.epoch <> o2c_epoch() THEN
      RAISE EXCEPTION 'An epoch is begun by the owner of the tables' USING ERRCODE = 'OC001';
    END IF;
    IF NEW.from_xid <> head.upto_xid THEN
      RAISE EXCEPTION 'Block % leaves transactions out', NEW.n USING ERRCODE = 'OC001';
    END IF;
    SELECT count(*) INTO found FROM audit_leaf WHERE epoch = head.epoch AND xid >= NEW.from_xid;
  ELSE
    IF NEW.epoch <> o2c_epoch() OR NEW.epoch <> coalesce(head.epoch, 1)
       OR NEW.from_xid <> coalesce(head.upto_xid, 0) THEN
      RAISE EXCEPTION 'Block % leaves transactions out', NEW.n USING ERRCODE = 'OC001';
    END IF;
    SELECT count(*) INTO found FROM audit_leaf
    WHERE epoch = NEW.epoch AND xid >= NEW.from_xid AND xid < NEW.upto_xid;
  END IF;
  IF NEW.count <> found OR NEW.total <> coalesce(head.total, 0) + found THEN
    RAISE EXCEPTION 'Block % counts % leaves where there are %', NEW.n, NEW.count, found
      USING ERRCODE = 'OC001';
  END IF;
  RETURN NEW;
END $$
"""

BLOCK = """
CREATE OR REPLACE TRIGGER o2c_block BEFORE INSERT ON audit_block
  FOR EACH ROW EXECUTE FUNCTION o2c_block()
"""


def _kept(table: str) -> list[Trigger]:
    refuse = "FOR EACH STATEMENT EXECUTE FUNCTION o2c_refuse"
    append = (
        f"CREATE OR REPLACE TRIGGER o2c_append_only BEFORE UPDATE OR DELETE ON {table}"
        f" {refuse}('%s is append-only')"
    )
    name = f"{table}_no_truncate"
    truncate = (
        f"CREATE OR REPLACE TRIGGER {name} BEFORE TRUNCATE ON {table} {refuse}('%s is never truncated')"
    )
    return [
        Trigger(table, "o2c_append_only", (append, always(table, "o2c_append_only"))),
        Trigger(table, name, (truncate, always(table, name))),
    ]


TRIGGERS = [
    Trigger("audit_block", "o2c_block", (BLOCK_FUNCTION, BLOCK, always("audit_block", "o2c_block"))),
    *_kept("audit_leaf"),
    *_kept("audit_layout"),
]
