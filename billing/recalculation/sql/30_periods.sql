-- When: the slots that charges are for, the pieces of a slot at one price, and the share of the price that
-- each piece pays. Period k is the anchor plus k periods; 29 to 31 fall on the last day of a short month.

CREATE TEMPORARY TABLE recalc_billed ON COMMIT DROP AS
SELECT c.line_id, c.segment_id, c.kind, c.period_from, sum(c.amount) AS amount,
       CASE WHEN c.kind = 'usage' THEN sum(c.quantity) ELSE max(c.quantity) END AS quantity,
       (array_agg(c.covers_from ORDER BY c.revision DESC))[1] AS covers_from,
       (array_agg(c.covers_to ORDER BY c.revision DESC))[1] AS covers_to,
       max(c.due_on) AS due_on, min(c.currency) AS currency, max(c.revision) AS revision
FROM billing_charge c JOIN recalc_line l USING (line_id)
-- What credit paid of a charge, and what was let go of it, stands beside the charge and is not part of it.
WHERE c.kind NOT IN ('drawdown', 'waiver')
GROUP BY c.line_id, c.segment_id, c.kind, c.period_from;

CREATE TEMPORARY TABLE recalc_drafted ON COMMIT DROP AS
SELECT v.order_line_id AS line_id, v.segment_id, v.kind, (v.proposal->>'period_from')::date AS period_from,
       sum(v.net) AS net, min(v.id) AS invoice_line_id, count(*) AS rows
FROM recalc_asked a JOIN billing_invoice i ON i.run_id = a.run_id AND i.state = 'draft'
JOIN billing_invoiceline v ON v.invoice_id = i.id AND v.proposal IS NOT NULL
  AND v.kind NOT IN ('drawdown', 'waiver')
JOIN recalc_line l ON l.line_id = v.order_line_id
GROUP BY 1, 2, 3, 4;

-- What was billed ahead of the date is looked at too: it may not be expected any more.
CREATE TEMPORARY TABLE recalc_horizon ON COMMIT DROP AS
SELECT greatest((SELECT through FROM recalc_asked), (SELECT max(due_on) + 1 FROM recalc_billed)) AS ends_on;

CREATE TEMPORARY TABLE recalc_slot ON COMMIT DROP AS
WITH asked AS (
  SELECT s.*, l.kind, l.once, l.in_advance, l.every, l.ends AS line_ends, n.months, n.days,
         CASE WHEN n.months > 0 THEN l.months_from ELSE l.days_from END AS grid_from,
         -- Where one charge takes the remainder of its price's period, the whole of that period is looked at.
         least(s.ends_on, h.ends_on + CASE WHEN l.kind = 'recurring' AND l.remainder <> 'each'
           THEN 31 * coalesce(t.months, 0) + coalesce(t.days, 0) ELSE 0 END) AS until
  FROM recalc_stretch s JOIN recalc_line l USING (line_id) LEFT JOIN recalc_length n USING (every)
  LEFT JOIN recalc_length t ON t.every = coalesce(s.paid_every, l.every), recalc_horizon h
), grid AS (
  SELECT a.*, k, CASE WHEN months > 0 THEN (grid_from + make_interval(months => k * months))::date
                      ELSE grid_from + k * days END AS period_from,
         CASE WHEN months > 0 THEN (grid_from + make_interval(months => (k + 1) * months))::date
              ELSE grid_from + (k + 1) * days END AS period_to
  FROM asked a CROSS JOIN LATERAL (
    SELECT CASE WHEN months > 0
             THEN floor((12 * (extract(year FROM starts_on) - extract(year FROM grid_from))
                        + extract(month FROM starts_on) - extract(month FROM grid_from)) / months)::int - 1
             ELSE floor((starts_on - grid_from)::numeric / days)::int END AS first_k,
           CASE WHEN months > 0
             THEN floor((12 * (extract(year FROM until) - extract(year FROM grid_from))
                        + extract(month FROM until) - extract(month FROM grid_from)) / months)::int
             ELSE floor((until - grid_from)::numeric / days)::int END AS last_k
  ) r CROSS JOIN LATERAL generate_series(r.first_k, r.last_k) AS k
  WHERE NOT a.once AND a.starts_on < a.until
), cut AS (
  SELECT line_id, segment_id, kind, period_from, period_to, greatest(starts_on, period_from) AS service_from,
         least(ends_on, period_to) AS service_to,
         CASE WHEN in_advance THEN greatest(starts_on, period_from) ELSE least(period_to, line_ends) - 1 END
           AS due_on
  FROM grid WHERE period_to > starts_on AND period_from < until
  UNION ALL
  SELECT line_id, segment_id, kind, starts_on, starts_on + 1, starts_on, starts_on + 1, starts_on
  FROM asked WHERE once AND every <> 'custom' AND starts_on < until
), told AS (
  -- An early invoice is for the usage of an open period up to its date.
  SELECT c.line_id, c.segment_id, c.kind, c.period_from, c.period_to, c.service_from,
         CASE WHEN a.early AND c.kind = 'usage' THEN least(c.service_to, a.through) ELSE c.service_to END
           AS service_to, c.due_on
  FROM cut c, recalc_asked a
)
SELECT row_number() OVER () AS slot_id, c.*, s.quantity, s.price_id, s.discount_percent, s.paid_every,
       l.begins, l.every, l.months_from, l.days_from, l.convention, l.counted_day, l.zone, l.aggregation, l.once, l.digits, l.currency,
       CASE WHEN a.early THEN d.line_id IS NOT NULL ELSE c.due_on < a.through OR b.line_id IS NOT NULL END
         AS counts,
       -- Usage of a billed period that this run does not touch is left to the nightly comparison.
       c.kind <> 'usage' OR a.everything OR b.line_id IS NULL OR d.line_id IS NOT NULL
         OR b.covers_to < c.service_to
         OR coalesce(p.over_term, false) OR l.committed AS wanted
FROM told c
CROSS JOIN recalc_asked a
JOIN recalc_stretch s USING (segment_id)
JOIN recalc_line l ON l.line_id = c.line_id
LEFT JOIN recalc_billed b ON (b.line_id, b.segment_id, b.kind, b.period_from)
                           = (c.line_id, c.segment_id, c.kind, c.period_from)
LEFT JOIN recalc_drafted d ON (d.line_id, d.segment_id, d.kind, d.period_from)
                            = (c.line_id, c.segment_id, c.kind, c.period_from)
LEFT JOIN (
  SELECT b.segment_id, bool_or(f.over_term) AS over_term FROM recalc_base b JOIN recalc_leaf f USING (clause)
  GROUP BY b.segment_id
) p ON p.segment_id = s.segment_id;

-- A ramp cuts a slot where it changes the price, counted in months from the first day of the line; so does a
-- followed price that changes.
CREATE TEMPORARY TABLE recalc_cut ON COMMIT DROP AS
SELECT s.slot_id, s.line_id, s.segment_id, b.clause, b.factor, r.step_no, r.starts_on, r.ends_on
FROM recalc_slot s JOIN recalc_base b USING (segment_id) CROSS JOIN LATERAL (
  SELECT f.step_no,
         greatest(s.service_from, b.starts_on, CASE WHEN f.from_month > 0
           THEN (b.counted_from + make_interval(months => f.from_month))::date END) AS starts_on,
         least(s.service_to, b.ends_on, (b.counted_from + make_interval(months => f.until_month))::date) AS ends_on
  FROM (SELECT DISTINCT step_no, from_month, until_month FROM recalc_leaf WHERE clause = b.clause) f
) r
WHERE s.wanted AND r.starts_on < r.ends_on;

-- What is agreed cuts it again where it begins or ends, and may put another price in the place of this one.
CREATE TEMPORARY TABLE recalc_piece ON COMMIT DROP AS
WITH cut AS (
  SELECT c.*, d.day, lead(d.day, 1, c.ends_on) OVER (PARTITION BY c.slot_id, c.starts_on ORDER BY d.day) AS until
  FROM recalc_cut c CROSS JOIN LATERAL (
    SELECT c.starts_on AS day
    UNION
    SELECT v.day FROM recalc_agreed a CROSS JOIN LATERAL (VALUES (a.starts_on), (a.ends_on)) AS v(day)
    WHERE a.line_id = c.line_id AND v.day > c.starts_on AND v.day < c.ends_on
  ) d
)
SELECT row_number() OVER () AS piece_id, c.slot_id, c.line_id, c.segment_id, c.day AS starts_on, c.until AS ends_on,
       coalesce(a.clause, c.clause) AS clause, CASE WHEN a.clause IS NULL THEN c.step_no ELSE 0 END AS step_no,
       CASE WHEN a.clause IS NULL THEN c.factor ELSE 1 END AS factor, a.clause IS NOT NULL AS replaced
FROM cut c LEFT JOIN LATERAL (
  SELECT clause FROM recalc_agreed a
  WHERE a.line_id = c.line_id AND a.method = 'replace' AND a.scope = '{}'
    AND a.starts_on <= c.day AND a.ends_on >= c.until
  ORDER BY rank DESC LIMIT 1
) a ON true;

CREATE UNIQUE INDEX ON recalc_piece (piece_id);
CREATE INDEX ON recalc_piece (slot_id);

-- Usage with single dimension values may have a price of its own; the first part is all, or what is left.
CREATE TEMPORARY TABLE recalc_portion ON COMMIT DROP AS
SELECT row_number() OVER () AS portion_id, p.* FROM (
  SELECT piece_id, slot_id, clause, step_no, factor, '{}'::jsonb AS scope, 0 AS rank, replaced FROM recalc_piece
  UNION ALL
  SELECT p.piece_id, p.slot_id, a.clause, 0, 1, a.scope, a.rank, true
  FROM recalc_piece p JOIN LATERAL (
    SELECT DISTINCT ON (scope) scope, clause, rank FROM recalc_agreed a
    WHERE a.line_id = p.line_id AND a.method = 'replace' AND a.scope <> '{}'
      AND a.starts_on <= p.starts_on AND a.ends_on >= p.ends_on
    ORDER BY scope, rank DESC
  ) a ON true
) p;

CREATE UNIQUE INDEX ON recalc_portion (portion_id);
CREATE INDEX ON recalc_portion (piece_id);
ANALYZE recalc_billed;
ANALYZE recalc_drafted;
ANALYZE recalc_slot;
ANALYZE recalc_piece;
ANALYZE recalc_portion
