"""What the database holds about grants: the balance is the sum of the entries, and never below zero.

An entry locks its grant (several by id) and sums, so that two draws that race cannot both take the last of
it: the CHECK on the grant refuses the second. A restoration gives back at most what its draw still holds.
"""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db import connection

ENTRIES = """
CREATE OR REPLACE FUNCTION billing_grant_remaining(bigint) RETURNS numeric LANGUAGE sql AS $$
  SELECT coalesce(sum(amount), 0) FROM billing_grantentry WHERE grant_id = $1
$$;
CREATE OR REPLACE FUNCTION billing_grantentry_counts() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE bad record;
BEGIN
  PERFORM 1 FROM billing_grant WHERE id IN (SELECT grant_id FROM new_rows) ORDER BY id FOR NO KEY UPDATE;

  SELECT d.id, -d.amount AS drawn, sum(r.amount) AS restored INTO bad
  FROM billing_grantentry d JOIN billing_grantentry r ON r.reverses_id = d.id
  WHERE d.id IN (SELECT reverses_id FROM new_rows)
  GROUP BY d.id, d.kind, d.amount, d.grant_id
  HAVING d.kind <> 'drawn' OR sum(r.amount) > -d.amount OR bool_or(r.grant_id <> d.grant_id) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'Entry % drew %, restorations of % are more than that', bad.id, bad.drawn, bad.restored
      USING ERRCODE = 'OC001';
  END IF;

  UPDATE billing_grant g SET remaining = billing_grant_remaining(g.id)
    WHERE g.id IN (SELECT grant_id FROM new_rows);
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER billing_grantentry_counts AFTER INSERT ON billing_grantentry
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION billing_grantentry_counts();
ALTER TABLE billing_grantentry ENABLE ALWAYS TRIGGER billing_grantentry_counts
"""

PROOF = """
CREATE OR REPLACE FUNCTION billing_grant_remaining_is_true() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.remaining <> billing_grant_remaining(NEW.id) THEN
    RAISE EXCEPTION 'What is left of a grant is the sum of its entries and nothing else'
      USING ERRCODE = 'OC001';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER billing_grant_remaining_is_true BEFORE UPDATE ON billing_grant FOR EACH ROW
  WHEN (OLD.remaining IS DISTINCT FROM NEW.remaining) EXECUTE FUNCTION billing_grant_remaining_is_true();
ALTER TABLE billing_grant ENABLE ALWAYS TRIGGER billing_grant_remaining_is_true;
CREATE OR REPLACE TRIGGER billing_grant_remaining_is_new BEFORE INSERT ON billing_grant FOR EACH ROW
  WHEN (NEW.remaining <> 0) EXECUTE FUNCTION billing_grant_remaining_is_true();
ALTER TABLE billing_grant ENABLE ALWAYS TRIGGER billing_grant_remaining_is_new
"""


def install(sender: AppConfig, **kwargs: Any) -> None:
    """post_migrate, by the role that owns the tables."""
    if "billing_grantentry" in connection.introspection.table_names():
        with connection.cursor() as cursor:
            cursor.execute(ENTRIES)
            cursor.execute(PROOF)
