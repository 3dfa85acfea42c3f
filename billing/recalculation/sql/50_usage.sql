-- How much: single events, straight from where they were stored, by piece and dimensions. The day of an
-- event is its calendar day in the contract's time zone.

CREATE TEMPORARY TABLE recalc_event ON COMMIT DROP AS
WITH metered AS (
  SELECT p.piece_id, p.line_id, p.starts_on, p.ends_on, s.zone, s.aggregation
  FROM recalc_piece p JOIN recalc_slot s USING (slot_id) WHERE s.kind = 'usage'
), around AS (
  SELECT CASE WHEN bool_or(aggregation = 'weighted') THEN '-infinity'::timestamptz
              ELSE min(starts_on)::timestamptz - interval '2 days' END AS since,
         max(ends_on)::timestamptz + interval '2 days' AS until
  FROM metered
), lines AS (
  SELECT DISTINCT m.line_id, m.zone, n.filters FROM metered m JOIN recalc_line n USING (line_id)
)
SELECT e.line_id, (e.occurred_at AT TIME ZONE l.zone)::date AS day, e.occurred_at, e.dimensions_id, e.quantity,
       e.subject
FROM around a CROSS JOIN lines l
JOIN billing_usageevent e ON e.line_id = l.line_id AND e.occurred_at >= a.since AND e.occurred_at < a.until
WHERE NOT EXISTS (SELECT 1 FROM billing_usageretraction r WHERE r.event_id = e.id)
  -- What the meter's filters leave out: a property with none of the values asked for, or without the property.
  AND (l.filters = '{}' OR NOT EXISTS (
    SELECT 1 FROM billing_usagedimensions d CROSS JOIN jsonb_each(l.filters) AS f(name, asked)
    WHERE d.id = e.dimensions_id AND NOT f.asked @> coalesce(d.values->f.name, 'null')));

ANALYZE recalc_event;

CREATE TEMPORARY TABLE recalc_measure ON COMMIT DROP AS
SELECT p.piece_id, e.dimensions_id,
       CASE min(s.aggregation) WHEN 'count' THEN count(*)::numeric WHEN 'max' THEN max(e.quantity)
         ELSE sum(e.quantity) END AS quantity, count(*) AS events
FROM recalc_piece p JOIN recalc_slot s USING (slot_id)
JOIN recalc_event e ON e.line_id = p.line_id AND e.day >= p.starts_on AND e.day < p.ends_on
WHERE s.aggregation IN ('sum', 'count', 'max')
GROUP BY p.piece_id, e.dimensions_id
UNION ALL
SELECT p.piece_id, e.dimensions_id, count(DISTINCT e.subject), count(*)
FROM recalc_piece p JOIN recalc_slot s USING (slot_id)
JOIN recalc_event e ON e.line_id = p.line_id AND e.day >= p.starts_on AND e.day < p.ends_on
WHERE s.aggregation = 'unique'
GROUP BY p.piece_id, e.dimensions_id
UNION ALL
SELECT p.piece_id, e.dimensions_id,
       (array_agg(e.quantity ORDER BY e.occurred_at DESC, e.quantity DESC))[1], count(*)
FROM recalc_piece p JOIN recalc_slot s USING (slot_id)
JOIN recalc_event e ON e.line_id = p.line_id AND e.day >= p.starts_on AND e.day < p.ends_on
WHERE s.aggregation = 'latest'
GROUP BY p.piece_id, e.dimensions_id;

-- A level that holds until it changes: events are increments, and each one counts for what is left of the
-- piece. The level that the piece begins with counts for all of it.
CREATE TEMPORARY TABLE recalc_level ON COMMIT DROP AS
WITH bounds AS (
  SELECT p.piece_id, p.line_id, p.starts_on, p.ends_on, t.begins, t.ends
  FROM recalc_piece p JOIN recalc_slot s USING (slot_id) CROSS JOIN LATERAL (
    SELECT max(m.at) FILTER (WHERE m.n = 1) AS begins, max(m.at) FILTER (WHERE m.n = 2) AS ends FROM (
      SELECT v.n, CASE WHEN ((v.at - interval '1 hour') AT TIME ZONE s.zone)::date = v.day
                       THEN v.at - interval '1 hour' ELSE v.at END AS at
      FROM (VALUES (1, p.starts_on, p.starts_on::timestamp AT TIME ZONE s.zone),
                   (2, p.ends_on, p.ends_on::timestamp AT TIME ZONE s.zone)) AS v(n, day, at)
    ) m
  ) t
  WHERE s.kind = 'usage' AND s.aggregation = 'weighted'
), changes AS (
  SELECT b.piece_id, e.dimensions_id, b.begins, b.ends,
         greatest(CASE WHEN e.day < b.starts_on THEN b.begins ELSE e.occurred_at END, b.begins) AS since,
         e.quantity, (e.day >= b.starts_on)::int AS inside
  FROM bounds b JOIN recalc_event e ON e.line_id = b.line_id AND e.day < b.ends_on
), stepped AS (
  SELECT piece_id, dimensions_id, begins, ends, since, sum(quantity) AS quantity, sum(inside) AS events
  FROM changes GROUP BY piece_id, dimensions_id, begins, ends, since
)
SELECT piece_id, dimensions_id,
       sum(quantity) OVER w AS level, events,
       (extract(epoch FROM coalesce(lead(since) OVER w, ends) - since) * 1000000)::numeric(40, 0) AS lasts,
       (extract(epoch FROM ends - begins) * 1000000)::numeric(40, 0) AS whole
FROM stepped WINDOW w AS (PARTITION BY piece_id, dimensions_id ORDER BY since);

INSERT INTO recalc_measure
SELECT piece_id, dimensions_id, round(round(sum(level * lasts), 200) / min(whole), 150), sum(events)
FROM recalc_level GROUP BY piece_id, dimensions_id;

-- The part that prices them: the one that names most of their values, the narrower scope first.
CREATE TEMPORARY TABLE recalc_whose ON COMMIT DROP AS
SELECT m.piece_id, m.dimensions_id, p.portion_id, d.values, p.scope
FROM recalc_measure m JOIN billing_usagedimensions d ON d.id = m.dimensions_id
JOIN LATERAL (
  SELECT portion_id, scope FROM recalc_portion q WHERE q.piece_id = m.piece_id AND d.values @> q.scope
  ORDER BY (SELECT count(*) FROM jsonb_object_keys(q.scope)) DESC, rank DESC LIMIT 1
) p ON true;

CREATE INDEX ON recalc_whose (piece_id, dimensions_id);
ANALYZE recalc_measure;
ANALYZE recalc_whose;

-- Tiers and included units that run over the term: usage that they price from the first day of the stretch,
-- once with and once without the piece itself.
CREATE TEMPORARY TABLE recalc_running ON COMMIT DROP AS
SELECT p.portion_id, p.piece_id, w.line_id, w.segment_id, w.starts_on
FROM recalc_portion p JOIN recalc_piece w USING (piece_id) JOIN recalc_slot s ON s.slot_id = p.slot_id
WHERE s.kind = 'usage' AND NOT p.replaced AND EXISTS (
  SELECT 1 FROM recalc_leaf f WHERE f.clause = p.clause AND f.step_no = p.step_no AND f.over_term);

CREATE TEMPORARY TABLE recalc_counted ON COMMIT DROP AS
SELECT w.portion_id, 1 AS sign, m.dimensions_id, m.quantity, m.events
FROM recalc_measure m JOIN recalc_whose w USING (piece_id, dimensions_id)
WHERE NOT EXISTS (SELECT 1 FROM recalc_running r WHERE r.portion_id = w.portion_id)
UNION ALL
SELECT p.portion_id, g.sign, m.dimensions_id, sum(m.quantity), sum(m.events)
FROM recalc_running p CROSS JOIN (VALUES (1), (-1)) AS g(sign)
JOIN recalc_running q ON q.segment_id = p.segment_id AND q.line_id = p.line_id
  AND (q.starts_on < p.starts_on OR g.sign = 1 AND q.starts_on = p.starts_on)
JOIN recalc_whose w ON w.portion_id = q.portion_id
JOIN recalc_measure m ON (m.piece_id, m.dimensions_id) = (w.piece_id, w.dimensions_id)
GROUP BY p.portion_id, g.sign, m.dimensions_id;

ANALYZE recalc_counted
