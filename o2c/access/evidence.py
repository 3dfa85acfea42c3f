"""Controls over access: given with the approval it takes, gone with the person."""

from __future__ import annotations

from o2c.access.policies import ABLE, GOVERNING
from o2c.access.services.accounts import INTERNAL_ACCOUNTS
from o2c.evidence.approved import had, item, reached, unapproved
from o2c.evidence.registry import Control

_GRANTED = """
FROM access_historicalrolegrant g JOIN access_user u ON u.id = g.user_id
JOIN access_role r ON r.id = g.role_id
WHERE g.history_type = '+' AND g.history_date >= %(start)s AND g.history_date < %(end)s
"""
# Accounts of the product get their roles while it is installed.
_GIVEN = f"""
SELECT g.id, g.id AS row, g.history_date AS at, g.history_txid AS transaction {_GRANTED}
  AND g.history_user_id IS DISTINCT FROM 0
"""
# What the role allowed, and who else could have agreed, at the moment of the grant.
_AS_GIVEN = f"""o2c_facts_access_role_grant(w.row) || (SELECT jsonb_build_object(
  'governs', EXISTS (SELECT FROM access_historicalroleduty k WHERE k.role_id = g.role_id
                     AND k.duty IN ({", ".join(f"'{duty}'" for duty in GOVERNING)})
                     AND {had("k", "k.duty", "w.at")})::text,
  'able', {ABLE.format(moment="w.at")}::text)
  FROM access_rolegrant g WHERE g.id = w.row)"""
_LEFT = """
FROM (SELECT h.*, lag(h.is_active) OVER (PARTITION BY h.id ORDER BY h.history_id) AS was
      FROM access_historicaluser h) h
WHERE h.was AND NOT h.is_active AND h.history_date >= %(start)s AND h.history_date < %(end)s
"""
_REVIEWS = """
FROM sod_campaign c LEFT JOIN access_user o ON o.id = c.opened_by_id
LEFT JOIN access_user s ON s.id = c.signed_by_id
WHERE c.taken_at >= %(start)s AND c.taken_at < %(end)s
"""
_LINES = _REVIEWS.replace("WHERE", "JOIN sod_reviewitem i ON i.campaign_id = c.id WHERE", 1)
_EXCEPTED = f"""
FROM sod_sodexception e JOIN access_user u ON u.id = e.user_id JOIN sod_sodrule r ON r.id = e.rule_id
{reached("sod_historicalsodexception", "e.id", "w.state = 'approved'")}
WHERE h.history_date >= %(start)s AND h.history_date < %(end)s
"""
_TAKEN = """
FROM access_readevent a WHERE a.kind = 'reveal' AND a.recorded_at >= %(start)s AND a.recorded_at < %(end)s
"""

CONTROLS = [
    Control(
        code="C-15",
        title="Access is granted by somebody else, with a reason; with an approval where it governs",
        risk="People give themselves what they should not have",
        kind="preventive",
        enforced_by="policy access.role.grant, check constraint on access_rolegrant, rules of kind grant",
        model="access.RoleGrant",
        population=f"""
SELECT g.id, u.username AS "user", r.code AS role, g.history_actor AS granted_by, g.reason, g.valid_from,
       g.valid_to, g.history_date AS granted_at
{_GRANTED} ORDER BY g.history_id""",
        exceptions=f"""
SELECT g.id, u.username || ' granted ' || r.code || ' to themselves' AS problem {_GRANTED}
  AND g.history_user_id = g.user_id
UNION ALL SELECT g.id, 'given without a reason' {_GRANTED} AND g.history_user_id > 0
  AND trim(g.reason || g.history_change_reason) = ''
UNION ALL SELECT g.id, 'a service account without an owner holds ' || r.code {_GRANTED}
  AND u.kind = 'service' AND u.owner_id IS NULL
UNION ALL {unapproved("access.role.grant", _GIVEN, _AS_GIVEN)}
ORDER BY 1, 2""",
    ),
    Control(
        code="C-15b",
        title="All access is reviewed every quarter: line by line by others, and signed by a third",
        risk="People keep what they needed once",
        kind="detective",
        enforced_by="o2c.controls.sod.services.reviews, task o2c.sod.lapse_reviews, check constraints",
        model="sod.Campaign",
        population=f"""
SELECT c.id, c.name, c.taken_at, c.deadline, o.username AS opened_by, s.username AS signed_by, c.signed_at,
       (SELECT count(*) FROM sod_reviewitem i WHERE i.campaign_id = c.id) AS lines,
       (SELECT count(*) FROM sod_reviewitem i WHERE i.campaign_id = c.id AND i.state <> 'kept') AS taken_away
{_REVIEWS} ORDER BY c.id""",
        exceptions=f"""
SELECT c.id, 'not signed a week after its deadline' AS problem {_REVIEWS}
  AND c.deadline + interval '7 days' < coalesce(c.signed_at, now())
UNION ALL SELECT c.id, 'opened and signed by one person' {_REVIEWS} AND c.signed_by_id = c.opened_by_id
UNION ALL SELECT c.id, 'the next review was taken ' || (n.at - c.taken_at) || ' later'
{
            _REVIEWS.replace(
                "WHERE",
                '''CROSS JOIN LATERAL (SELECT coalesce((SELECT min(x.taken_at) FROM sod_campaign x
    WHERE x.taken_at > c.taken_at), now()) AS at) n WHERE''',
                1,
            )
        } AND n.at > c.taken_at + interval '100 days'
UNION ALL SELECT c.id, 'line ' || i.id || ' was decided by whom it is about, or who opened the review' {
            _LINES
        }
  AND i.decided_by_id IN (i.user_id, c.opened_by_id)
UNION ALL SELECT c.id, 'line ' || i.id || ' was open when it was signed' {_LINES}
  AND c.state = 'signed' AND i.state = 'pending'
UNION ALL SELECT c.id, 'line ' || i.id || ' was taken away, and the grant holds on' {_LINES}
  AND i.state IN ('revoked', 'lapsed') AND EXISTS (
    SELECT FROM access_rolegrant g WHERE g.id = i.grant_id
      AND coalesce(g.valid_to, 'infinity') > coalesce(i.decided_at, c.deadline) + interval '25 hours')
UNION ALL SELECT c.id, 'left out what ' || u.username || ' held as ' || r.code
{
            _REVIEWS.replace(
                "WHERE",
                '''CROSS JOIN access_rolegrant g JOIN access_user u ON u.id = g.user_id
    JOIN access_role r ON r.id = g.role_id WHERE''',
                1,
            )
        }
  AND g.valid_from <= c.taken_at AND g.created_at < c.taken_at
  AND coalesce(g.valid_to, 'infinity') > c.taken_at
  AND u.username NOT IN ({", ".join(f"'{name}'" for name in sorted(INTERNAL_ACCOUNTS))})
  AND (SELECT w.is_active FROM access_historicaluser w WHERE w.id = u.id AND w.history_date <= c.taken_at
       ORDER BY w.history_id DESC LIMIT 1)
  AND NOT EXISTS (SELECT FROM sod_reviewitem i WHERE i.campaign_id = c.id AND i.grant_id = g.id)
UNION ALL SELECT 0, 'no review was taken from ' || %(start)s || ' on' WHERE NOT EXISTS (SELECT {_REVIEWS})
  AND least(%(end)s::timestamptz, now()) > %(start)s::timestamptz + interval '100 days'
ORDER BY 1, 2""",
    ),
    Control(
        code="C-15d",
        title="Exceptions to segregation of duties are decided by others, and mitigated",
        risk="An exception becomes the rule",
        kind="preventive",
        enforced_by="policy sod.exception.approve, deferred trigger on sod_sodexception, rule S52",
        model="sod.SodException",
        population=f"""
SELECT e.id, u.username AS "user", r.code AS rule, e.reason, e.mitigation, e.valid_from, e.valid_to,
       h.history_actor AS approved_by, h.history_date AS approved_at
{_EXCEPTED} ORDER BY e.id""",
        exceptions=f"""
SELECT e.id, 'decided by whom it is for, or who asked for it' AS problem {_EXCEPTED}
  AND e.decided_by_id IN (e.user_id, e.requested_by_id)
UNION ALL SELECT e.id, 'says nothing of what is done meanwhile' {_EXCEPTED} AND trim(e.mitigation) = ''
UNION ALL SELECT e.id, 'lasts longer than ninety days' {_EXCEPTED}
  AND e.valid_to > e.valid_from + interval '90 days'
UNION ALL {unapproved("sod.exception.approve", item("e.id") + _EXCEPTED)}
ORDER BY 1, 2""",
    ),
    Control(
        code="C-15c",
        title="Who left holds nothing a day later",
        risk="Somebody who left, or whoever has their password, still acts",
        kind="preventive",
        enforced_by="access.services.accounts.disable, task o2c.access.end_grants_of_leavers",
        model="access.User",
        population=f"""
SELECT h.id, h.username, h.history_date AS disabled_at, h.history_actor AS disabled_by
{_LEFT} ORDER BY h.history_id""",
        # An hour more than a day: the task that ends grants runs every hour.
        exceptions=f"""
SELECT h.id, h.username || ' still held ' || r.code || ' a day after ' || h.history_date AS problem
{
            _LEFT.replace(
                "WHERE",
                '''JOIN access_rolegrant g ON g.user_id = h.id JOIN access_role r ON r.id = g.role_id
WHERE''',
                1,
            )
        }
  AND h.history_date < now() - interval '25 hours' AND g.valid_from <= h.history_date
  AND coalesce(g.valid_to, 'infinity') > h.history_date + interval '25 hours'
  AND NOT EXISTS (SELECT FROM access_historicaluser b WHERE b.id = h.id AND b.is_active
                  AND b.history_id > h.history_id AND b.history_date < h.history_date + interval '25 hours')
ORDER BY 1, 2""",
    ),
    Control(
        code="C-18b",
        title="Nobody reads bank details in clear, or takes a list away, without a reason on record",
        risk="Data that diverts payments leaves unseen",
        kind="detective",
        enforced_by="access.services.reads, append-only access_readevent",
        model="access.ReadEvent",
        population=f"""
SELECT a.id, a.reader, a.what, a.rows, a.why, a.at {_TAKEN} ORDER BY a.id""",
        exceptions=f"""
SELECT a.id, 'shown in clear without a reason' AS problem {_TAKEN} AND trim(a.why) = ''
ORDER BY 1""",
    ),
]
