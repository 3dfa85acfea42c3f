"""Approvals performed anew: which decisions did the facts of a row need then, and were they there?

The facts are those that the approvals themselves ask for (`Act.facts`, in every currency), the policy is the
version that was in force at that moment, by its history. Nothing that the gate or its triggers recorded about
the outcome is believed: decisions are counted again, with who asked, who wrote the values, who held the duty.
"""

from __future__ import annotations

from django.apps import apps

from o2c.controls.approvals.registry import Act, Lineage, act

# What a fact is called in a row of history: every column, as text.
OF_HISTORY = "(SELECT jsonb_object_agg(k.key, k.value) FROM jsonb_each_text(to_jsonb({0})) k)"

_REQUEST = """
  SELECT q.* FROM approvals_request q
  WHERE q.act = '{act}' AND q.result_id = i.row AND q.state = 'committed'
    AND (i.transaction IS NULL OR q.committed_txid = i.transaction){same}
  ORDER BY q.id DESC LIMIT 1"""

_UNAPPROVED = """
SELECT i.id, why.problem
FROM (SELECT w.*, {facts} AS facts FROM ({items}) w(id, row, at, transaction) OFFSET 0) i
LEFT JOIN LATERAL (
  SELECT h.version, h.content FROM approvals_historicalpolicy h
  WHERE h.act = '{act}' AND h.state = 'active' AND h.history_date <= i.at
    AND (h.valid_from IS NULL OR h.valid_from <= i.at)
  ORDER BY greatest(h.valid_from, h.activated_at) DESC NULLS LAST, h.version DESC, h.history_id DESC
  LIMIT 1) p ON true
LEFT JOIN LATERAL (
  SELECT string_agg(t.path, ', ') AS paths
  FROM (SELECT jsonb_path_query(p.content, '$.bands.path') #>> '{{}}'
        UNION SELECT jsonb_path_query(p.content, '$.rules[*].when[*].path') #>> '{{}}') t(path)
  WHERE i.facts #>> string_to_array(t.path, '.') IS NULL) silent ON true
LEFT JOIN LATERAL ({request}) r ON true
CROSS JOIN LATERAL (
  SELECT 'no policy {act} was in force' AS problem WHERE p.content IS NULL
  UNION ALL SELECT 'policy {act} v' || p.version || ' asks about ' || silent.paths || ', which no row says'
  WHERE silent.paths IS NOT NULL
  UNION ALL
  SELECT 'wants ' || n.needed || ' approval(s) of step "' || n.code || '" by others ({act} v' || p.version
         || '), has ' || x.have
  FROM (SELECT step->>'code' AS code, step->>'duty' AS duty,
               coalesce((step->>'approvers')::int, 1) AS needed
        FROM jsonb_array_elements(p.content->'steps') AS s(step)
        WHERE step->>'code' IN (SELECT o2c_approval_steps(
                CASE WHEN silent.paths IS NULL THEN p.content END, i.facts))) n
  CROSS JOIN LATERAL (
    SELECT count(DISTINCT d.decided_by_id) AS have FROM approvals_decision d
    JOIN approvals_step t ON t.id = d.step_id AND t.duty = n.duty
    WHERE d.request_id = r.id AND d.round = r.round AND d.step_code = n.code
      AND d.facts_digest = r.facts_digest AND d.verdict IN ('approve', 'carried') AND d.recorded_at <= i.at
      AND NOT EXISTS (SELECT FROM access_user u WHERE u.id IN (d.decided_by_id, d.delegator_id)
                      AND (u.id = r.requested_by_id OR u.id = ANY(r.excluded) OR u.id IN ({hands})))
      AND {held}) x
  WHERE x.have < n.needed
  UNION ALL
  SELECT 'was carried out before its cooling-off of ' || (p.content->>'cooling_hours') || ' hours was over'
  WHERE (p.content->>'cooling_hours')::int > 0
    AND i.at < (SELECT max(d.recorded_at) FROM approvals_decision d WHERE d.request_id = r.id
                AND d.round = r.round AND d.verdict IN ('approve', 'carried'))
               + make_interval(hours => (p.content->>'cooling_hours')::int)
) why
"""


def unapproved(code: str, items: str, facts: str = "") -> str:
    """SQL: (id, problem) of every item without the decisions that its facts needed.

    `items` is SQL that answers (id, row, at, transaction): what the exception names, the row that the act
    controls, the moment and the transaction in which it was done (NULL where a fact does not say).
    `facts` is SQL over `w` where the facts of today are not those of then.
    """
    found = act(code)
    return _UNAPPROVED.format(
        act=found.code,
        items=items,
        facts=facts or f"{found.function}(w.row)",
        request=_REQUEST.format(act=found.code, same=_same(found)),
        hands=" UNION ALL ".join(_hands(found, one) for one in found.lineage) or "SELECT NULL::bigint",
        held=held("coalesce(d.delegator_id, d.decided_by_id)", "n.duty", "d.recorded_at"),
    )


def reached(history: str, key: str, condition: str) -> str:
    """SQL that joins, as `h`, the row of history in which the record `key` first was so (`w`)."""
    return (
        f"LEFT JOIN LATERAL (SELECT w.* FROM {history} w WHERE w.id = {key} AND {condition}"
        " ORDER BY w.history_id LIMIT 1) h ON true"
    )


def item(key: str, row: str = "") -> str:
    """The columns of an item whose row of history is `h`. Without history only the present is known."""
    return (
        f"SELECT {key} AS id, {row or key} AS row, coalesce(h.history_date, now()) AS at,"
        " h.history_txid AS transaction"
    )


def held(person: str, duty: str, at: str) -> str:
    """SQL condition: the person held a duty by one of their roles at that moment, as history has it."""
    return f"""EXISTS (
        SELECT FROM access_rolegrant g JOIN access_historicalroleduty k ON k.role_id = g.role_id
        WHERE g.user_id = {person} AND g.valid_from <= {at} AND (g.valid_to IS NULL OR g.valid_to > {at})
          AND {had("k", duty, at)})"""


def had(entry: str, duty: str, at: str) -> str:
    """SQL condition: by this row of history the role had the duty at that moment."""
    return (
        f"{entry}.duty = {duty} AND {entry}.history_type = '+' AND {entry}.history_date <= {at}"
        f" AND NOT EXISTS (SELECT FROM access_historicalroleduty gone WHERE gone.id = {entry}.id"
        f" AND gone.history_type = '-' AND gone.history_date <= {at})"
    )


def _same(found: Act) -> str:
    """SQL condition on a request: of an act that changes columns, it was about them as they became."""
    return "".join(f"\n    AND q.facts->>'{c}' IS NOT DISTINCT FROM i.facts->>'{c}'" for c in found.changes)


def _hands(found: Act, lineage: Lineage) -> str:
    """SQL: who wrote the values, up to the decision `d`, since the act was last done to the subject of `r`.

    For a machine stands whoever answers for it.
    """
    history = apps.get_model(lineage.model).history.model._meta.db_table  # type: ignore[attr-defined]
    values = ", ".join(f"h.{column}" for column in lineage.columns)
    return f"""
        SELECT coalesce(m.owner_id, m.id) FROM (
          SELECT h.history_user_id, h.history_on_behalf_of_id, h.history_txid, h.history_type, h.history_date,
                 ROW({values}) AS said,
                 lag(ROW({values})) OVER (PARTITION BY h.id ORDER BY h.history_id) AS was
          FROM {history} h WHERE {lineage.rows.replace("$1", "r.subject_id")}) v
        JOIN access_user m ON m.id IN (v.history_user_id, v.history_on_behalf_of_id)
        WHERE (v.history_type <> '~' OR v.said IS DISTINCT FROM v.was) AND v.history_date < d.recorded_at
          AND v.history_txid > coalesce((SELECT max(b.committed_txid) FROM approvals_request b
              WHERE b.act = '{found.code}' AND b.subject_id = r.subject_id AND b.state = 'committed'
                AND b.id < r.id), 0)"""
