"""What segregation says of duties that are lent: by a delegation, by emergency access.

The rules of kind grant are asked of what somebody holds by role, they or an account they answer for, with the
lent duties added. An exception that is in force covers it, as it covers a grant.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from o2c.audit.triggers import lit

BORROWED = """
CREATE OR REPLACE FUNCTION o2c_sod_borrowed(borrower bigint, lent text[])
RETURNS TABLE (rule text, duty_a text, duty_b text) LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN QUERY
  WITH principal AS (
    SELECT u.id FROM access_user u
    WHERE u.id = borrower OR u.owner_id = borrower AND NOT (u.kind = 'service' AND u.username IN ({internal}))
  ), held AS (
    SELECT d.duty::text AS duty, false AS lent_now FROM access_rolegrant g
    JOIN principal p ON p.id = g.user_id JOIN access_roleduty d ON d.role_id = g.role_id
    WHERE g.valid_to IS NULL OR g.valid_to > clock_timestamp()
    UNION ALL SELECT unnest(lent), true
  ), able AS (
    SELECT h.duty, h.lent_now, f.function FROM held h JOIN sod_functionduty f ON f.duty = h.duty
  )
  SELECT DISTINCT r.code::text, a.duty, b.duty
  FROM able a
  JOIN sod_sodside sa ON sa.side = 'a' AND sa.function = a.function
  JOIN sod_sodrule r ON r.id = sa.rule_id AND r.at_grant
  JOIN sod_sodside sb ON sb.rule_id = r.id AND sb.side = 'b'
  JOIN able b ON b.function = sb.function
  WHERE (a.lent_now OR b.lent_now) AND NOT EXISTS (
    SELECT 1 FROM sod_sodexception e JOIN principal p ON p.id = e.user_id
    WHERE e.rule_id = r.id AND e.state = 'approved'
      AND clock_timestamp() >= e.valid_from AND clock_timestamp() < e.valid_to)
  ORDER BY 1, 2, 3;
END $$
"""


def borrowed_function() -> str:
    from o2c.access.services.accounts import INTERNAL_ACCOUNTS

    return BORROWED.replace("{internal}", ", ".join(map(lit, sorted(INTERNAL_ACCOUNTS))))


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that one person would break: they would hold both duties."""

    rule: str
    first: str
    second: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.first} beside {self.second}"


def broken_by(borrower_id: int, duties: list[str]) -> list[Broken]:
    """The rules that these duties, lent to somebody, would let them break; the database asks the same."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM o2c_sod_borrowed(%s, %s)", [borrower_id, duties])
        return [Broken(*row) for row in cursor.fetchall()]
