"""Where journals come from: no entry without the event that causes it, written in the same transaction.

Each app declares the events that it posts, with the rules that may post them, and installs the guard for
its own event keys; entries by hand have one of their own. So the books take nothing under the name of an
invoice, a receipt or a recognition run that the product did not just write. That the amounts agree is for
the tie-outs of the close: they compare each account with its sub-ledger, line by line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from o2c.audit.triggers import Trigger, always

NAME = "o2c_from_{first}"


@dataclass(frozen=True)
class Source:
    """Rules whose journals come from one kind of event.

    `event` begins their event key ("billing.invoice", before the first ":"). `holds` is a query over `j`, the
    journal with `event_id`, the number in its key (0: none), which finds a row when there is such an event.
    """

    event: str
    rules: tuple[str, ...]
    holds: str


def written(table: str, condition: str) -> str:
    """A record of which this transaction wrote a version, and that is as `condition` says of it as `e`."""
    history = table.replace("_", "_historical", 1)
    return (
        f"SELECT FROM {table} e WHERE e.id = j.event_id AND ({condition}) AND EXISTS ("  # noqa: S608
        f"SELECT FROM {history} h WHERE h.id = e.id AND h.history_txid = pg_current_xact_id()::text::bigint)"
    )


def recorded(table: str, condition: str) -> str:
    """A fact that this transaction recorded."""
    return (
        f"SELECT FROM {table} e WHERE e.id = j.event_id AND e.recorded_at >= transaction_timestamp()"
        f" AND ({condition})"
    )


def journal_guard(first: str, sources: Sequence[Source]) -> Trigger:
    """The guard of the journals whose event keys have `first` as their first word."""
    name = NAME.format(first=first)
    cases = "\n".join(
        f"    WHEN j.event = '{source.event}' AND j.rule IN ({', '.join(map(repr, source.rules))})"
        f" THEN EXISTS ({source.holds})"
        for source in sources
    )
    function = f"""
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE bad record;
BEGIN
  SELECT j.rule, j.event_key INTO bad FROM (
    SELECT n.*, split_part(n.event_key, ':', 1) AS event,
           coalesce(substring(split_part(n.event_key, ':', 2) FROM '^[0-9]{{1,18}}$')::bigint, 0) AS event_id
    FROM new_rows n WHERE substring(n.event_key FROM '^[a-z_]+') = '{first}') j
  WHERE NOT CASE
{cases}
    ELSE false END
  LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'No event of this transaction is posted by % as %', bad.rule, bad.event_key
      USING ERRCODE = 'OC003';
  END IF;
  RETURN NULL;
END $$
"""  # noqa: S608
    trigger = f"""
CREATE OR REPLACE TRIGGER {name} AFTER INSERT ON ledger_journal
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION {name}()
"""
    return Trigger("ledger_journal", name, (function, trigger, always("ledger_journal", name)))


# What has no guard posts nothing.
KNOWN_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_journal_from() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE bad record;
BEGIN
  SELECT n.rule, n.event_key INTO bad FROM new_rows n
  WHERE NOT (starts_with(n.event_key, 'ledger.manualjournal:') AND n.rule = 'manual.posted') AND NOT EXISTS (
    SELECT FROM pg_trigger t WHERE t.tgrelid = 'ledger_journal'::regclass
      AND t.tgname = 'o2c_from_' || substring(n.event_key FROM '^[a-z_]+'))
  LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'Nothing in the product is posted by % as %', bad.rule, bad.event_key
      USING ERRCODE = 'OC003';
  END IF;
  RETURN NULL;
END $$
"""

KNOWN = """
CREATE OR REPLACE TRIGGER o2c_journal_from AFTER INSERT ON ledger_journal
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION o2c_journal_from()
"""

KNOWN_SOURCES = Trigger(
    "ledger_journal",
    "o2c_journal_from",
    (KNOWN_FUNCTION, KNOWN, always("ledger_journal", "o2c_journal_from")),
)
