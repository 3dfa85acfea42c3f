"""What the close holds about the ledger's periods, by trigger.

A period is locked only by a close that two people signed, each for themselves (revenue/guards.py), and
is opened again only by a close whose reopening two people agreed on, latest first: whatever code path,
shell or SQL tries. The ledger does not know this; the trigger belongs to revenue and is made here.
"""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db import connection

LOCK_FUNCTION = """
CREATE OR REPLACE FUNCTION revenue_period_locked_by_close() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state = 'closed' AND NOT EXISTS (
       SELECT 1 FROM revenue_closerun c WHERE c.period_id = NEW.id AND c.state = 'locked') THEN
    RAISE EXCEPTION 'Period % is locked by a close that two people signed', NEW.name USING ERRCODE = 'OC001';
  END IF;
  IF OLD.state = 'closed' AND EXISTS (
       SELECT 1 FROM revenue_closerun c WHERE c.period_id = NEW.id AND c.state <> 'reopened') THEN
    RAISE EXCEPTION 'Period % is reopened by its close, which two people decide', NEW.name
      USING ERRCODE = 'OC001';
  END IF;
  IF OLD.state = 'closed' AND EXISTS (
       SELECT 1 FROM ledger_accountingperiod p
       WHERE p.entity_id = NEW.entity_id AND p.starts_on > NEW.starts_on AND p.state = 'closed') THEN
    RAISE EXCEPTION 'Period % has a closed period after it; only the latest can be reopened', NEW.name
      USING ERRCODE = 'OC001';
  END IF;
  RETURN NEW;
END $$
"""

LOCK = """
CREATE OR REPLACE TRIGGER revenue_locked_by_close BEFORE UPDATE ON ledger_accountingperiod
  FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state AND 'closed' IN (OLD.state, NEW.state))
  EXECUTE FUNCTION revenue_period_locked_by_close();
ALTER TABLE ledger_accountingperiod ENABLE ALWAYS TRIGGER revenue_locked_by_close
"""


def install(sender: AppConfig, **kwargs: Any) -> None:
    """post_migrate, by the role that owns the tables."""
    if {"ledger_accountingperiod", "revenue_closerun"} <= set(connection.introspection.table_names()):
        with connection.cursor() as cursor:
            cursor.execute(LOCK_FUNCTION)
            cursor.execute(LOCK)
