"""What the database holds about number series: a number is taken with its document, or not at all.

Each app says in `numbers.py` which table holds the documents of a series (SERIES: code → table, column). The
check waits for the commit, because the number is taken first and written then.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec

from django.apps import apps

from o2c.audit.triggers import Trigger, always, lit, q

TABLE = "numbering_numberseries"

GIVEN_FUNCTION = """
CREATE OR REPLACE FUNCTION o2c_numbers_given() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE head text; gap text; taken bigint := 0;
BEGIN
  IF TG_OP = 'UPDATE' THEN taken := OLD.last; END IF;
  SELECT e.code || '-' || NEW.series || '-' || NEW.year || '-' INTO head
  FROM ledger_legalentity e WHERE e.id = NEW.entity_id;
  CASE NEW.series
    {cases}
    ELSE RAISE EXCEPTION 'No document takes numbers of the series %', NEW.series USING ERRCODE = 'OC001';
  END CASE;
  IF gap IS NOT NULL THEN
    RAISE EXCEPTION 'The number % was taken, and no document has it', gap USING ERRCODE = 'OC001';
  END IF;
  RETURN NULL;
END $$
"""

CASE = """WHEN {series} THEN
      SELECT s.number INTO gap FROM (
        SELECT head || CASE WHEN n < 1000000 THEN lpad(n::text, 6, '0') ELSE n::text END AS number
        FROM generate_series(taken + 1, NEW.last) n
      ) s WHERE NOT EXISTS (SELECT 1 FROM {table} d WHERE d.{column} = s.number) LIMIT 1;"""


def series() -> Iterator[tuple[str, str, str]]:
    """(series, table, column) of every app that numbers documents."""
    for config in apps.get_app_configs():
        name = f"{config.name}.numbers"
        if find_spec(name) is not None:
            for code, (table, column) in sorted(import_module(name).SERIES.items()):
                yield code, table, column


def _triggers() -> list[Trigger]:
    cases = "\n    ".join(
        CASE.format(series=lit(code), table=q(table), column=q(column)) for code, table, column in series()
    )
    up = (
        f"CREATE OR REPLACE TRIGGER o2c_counts_up BEFORE UPDATE ON {TABLE} FOR EACH ROW"
        " WHEN (NEW.last <= OLD.last) EXECUTE FUNCTION o2c_refuse('%s only ever counts up')"
    )
    given = (
        f"CREATE CONSTRAINT TRIGGER o2c_given AFTER INSERT OR UPDATE ON {TABLE}"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION o2c_numbers_given()"
    )
    drop = f"DROP TRIGGER IF EXISTS o2c_given ON {TABLE}"  # these cannot be replaced
    define = GIVEN_FUNCTION.replace("{cases}", cases)
    return [
        Trigger(TABLE, "o2c_counts_up", (up, always(TABLE, "o2c_counts_up"))),
        Trigger(TABLE, "o2c_given", (define, drop, given, always(TABLE, "o2c_given"))),
    ]


TRIGGERS = _triggers()
