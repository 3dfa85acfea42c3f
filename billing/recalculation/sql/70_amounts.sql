-- Rated, times the share, less the discount and amounts off, within ceiling and floor, rounded once: half away from zero in
-- the currency's minor unit. Divisions carry 200 digits; cutting at 90 first makes a tie a tie again.

CREATE TEMPORARY TABLE recalc_amount ON COMMIT DROP AS
WITH rated AS (
  SELECT p.piece_id, coalesce(sum(t.sign * (t.units * t.unit_amount + t.flat_amount)), 0) AS rated
  FROM recalc_piece p LEFT JOIN recalc_step t USING (piece_id)
  GROUP BY p.piece_id
), off AS (
  SELECT p.piece_id, sum(a.value * h.of_period) AS amount
  FROM recalc_piece p JOIN recalc_share h USING (piece_id)
  JOIN recalc_agreed a ON a.line_id = p.line_id AND a.method = 'amount_off'
   AND a.starts_on <= p.starts_on AND a.ends_on >= p.ends_on
  GROUP BY p.piece_id
), pieces AS (
  SELECT p.slot_id, r.rated, h.share AS bound_share,
         CASE WHEN s.kind = 'usage' AND f.model NOT IN ('flat', 'one_time') THEN 1 ELSE h.share END AS share,
         1 - s.discount_percent * 0.01 AS kept, p.factor * f.minimum AS minimum, p.factor * f.maximum AS maximum,
         off.amount AS off
  FROM rated r JOIN recalc_piece p USING (piece_id) JOIN recalc_slot s ON s.slot_id = p.slot_id
  JOIN recalc_share h USING (piece_id)
  JOIN (SELECT clause, step_no, min(minimum) AS minimum, min(maximum) AS maximum,
               CASE WHEN max(cell_no) > 0 THEN 'matrix' ELSE min(model) END AS model
        FROM recalc_leaf GROUP BY clause, step_no) f
    ON f.clause = p.clause AND f.step_no = p.step_no
  LEFT JOIN off USING (piece_id)
), kept AS (
  SELECT slot_id, rated * share AS rated, bound_share, minimum, maximum,
         rated * share * kept - CASE WHEN off IS NULL THEN 0 ELSE least(off, rated * share * kept) END AS discounted
  FROM pieces
), summed AS (
  SELECT slot_id, sum(rated) AS rated, sum(discounted) AS discounted, sum(bounded) AS bounded
  FROM (
    SELECT slot_id, sum(rated) AS rated, sum(discounted) AS discounted,
           greatest(least(sum(discounted), maximum * sum(bound_share)), minimum * sum(bound_share)) AS bounded
    FROM kept GROUP BY slot_id, minimum, maximum
  ) b GROUP BY slot_id
), told AS (
  SELECT s.slot_id, m.rated, m.discounted, m.bounded,
         m.bounded - CASE WHEN s.once THEN coalesce(lag(m.bounded) OVER (PARTITION BY s.line_id ORDER BY s.service_from), 0)
                          ELSE 0 END AS exact
  FROM recalc_slot s JOIN summed m USING (slot_id)
)
SELECT t.slot_id, t.rated, t.discounted, t.bounded, round(t.exact, 90) AS exact,
       round(round(t.exact, 90), s.digits) AS amount, 0::numeric AS remainder
FROM told t JOIN recalc_slot s USING (slot_id);

-- What rounding leaves of a price that is billed in parts, by the first or the last part that is not zero: all
-- parts of a price's period sum to its total, rounded once. No part goes below zero; the next takes the rest.
WITH parts AS (
  SELECT s.slot_id, s.line_id, s.digits, m.exact, m.amount, g.low, g.high,
         CASE l.remainder WHEN 'first' THEN s.service_from - DATE '2000-01-01'
                          ELSE DATE '2000-01-01' - s.service_from END AS place
  FROM recalc_slot s JOIN recalc_amount m USING (slot_id) JOIN recalc_line l USING (line_id)
  JOIN recalc_length n ON n.every = coalesce(s.paid_every, s.every)
  CROSS JOIN LATERAL (
    SELECT p.low, p.high FROM (
      SELECT (s.months_from + make_interval(months => k * n.months))::date AS low,
             (s.months_from + make_interval(months => (k + 1) * n.months))::date AS high
      FROM (SELECT floor((12 * (extract(year FROM s.service_from) - extract(year FROM s.months_from))
                   + extract(month FROM s.service_from) - extract(month FROM s.months_from)) / n.months)::int AS at
            WHERE n.months > 0) z, generate_series(z.at - 1, z.at) AS k
      UNION ALL
      SELECT s.days_from + k * n.days, s.days_from + (k + 1) * n.days
      FROM (SELECT floor((s.service_from - s.days_from)::numeric / n.days)::int AS k WHERE n.days > 0) z
    ) p WHERE p.low <= s.service_from AND p.high > s.service_from
  ) g
  WHERE l.kind = 'recurring' AND l.remainder <> 'each' AND s.service_to <= g.high AND m.exact <> 0
), shared AS (
  SELECT *, round(round(sum(exact) OVER period, 80), digits) - sum(amount) OVER period AS rest,
         row_number() OVER (period ORDER BY place) AS n,
         sum(amount) OVER (period ORDER BY place) - amount AS before
  FROM parts WINDOW period AS (PARTITION BY line_id, low, high)
), taken AS (
  SELECT slot_id, CASE WHEN rest < 0 THEN -least(amount, greatest(-rest - before, 0))
                       WHEN n = 1 THEN rest ELSE 0 END AS rest
  FROM shared
)
UPDATE recalc_amount m SET amount = m.amount + t.rest, remainder = t.rest
FROM taken t WHERE t.slot_id = m.slot_id AND t.rest <> 0;

-- What cannot be recomputed here is said, never passed over.
CREATE TEMPORARY TABLE recalc_odd ON COMMIT DROP AS
WITH odd AS (
SELECT l.line_id, 'the billing frequency ' || l.every AS what
FROM recalc_line l LEFT JOIN recalc_length n USING (every) WHERE n.every IS NULL AND l.every <> 'custom'
UNION
SELECT line_id, 'a remainder for the ' || remainder || ' charge' FROM recalc_line
WHERE remainder NOT IN ('each', 'first', 'last')
UNION
SELECT s.line_id, f.odd FROM recalc_stretch s JOIN recalc_base b USING (segment_id) JOIN recalc_leaf f
  ON f.clause = b.clause WHERE f.odd <> ''
UNION
SELECT a.line_id, f.odd FROM recalc_agreed a JOIN recalc_leaf f USING (clause) WHERE f.odd <> ''
UNION
SELECT s.line_id, i.odd FROM recalc_input i JOIN recalc_portion p USING (portion_id)
  JOIN recalc_slot s ON s.slot_id = p.slot_id WHERE i.odd <> '' AND s.counts
UNION
SELECT line_id, 'the proration ' || convention FROM recalc_line
WHERE convention NOT IN ('actual_days', 'fixed_30', 'thirty_360', 'seconds', 'whole_months', 'none')
UNION
SELECT line_id, 'the aggregation ' || aggregation FROM recalc_line
WHERE aggregation NOT IN ('sum', 'count', 'unique', 'max', 'latest', 'weighted')
UNION
SELECT line_id, 'the kind ' || kind FROM recalc_line
WHERE kind NOT IN ('recurring', 'usage', 'one_time', 'prepaid')
)
SELECT line_id, what FROM odd
UNION
-- A commitment counts all of its lines.
SELECT l.line_id, 'a commitment over such a line' FROM recalc_line l
WHERE l.committed AND EXISTS (
  SELECT 1 FROM odd o JOIN recalc_line x ON x.line_id = o.line_id WHERE x.order_id = l.order_id);

-- What a commitment falls short of, or its overage.
CREATE TEMPORARY TABLE recalc_true_up ON COMMIT DROP AS
WITH counted AS (
  SELECT p.slot_id, coalesce(sum(m.exact), 0) + coalesce((
           SELECT sum(i.exact) FROM recalc_instalment i JOIN recalc_counts d ON d.line_id = i.line_id
           WHERE (d.order_id, d.n) = (p.order_id, p.n) AND i.service_from >= p.service_from
             AND i.service_from < p.high), 0) AS charged
  FROM recalc_promise p JOIN recalc_counts c ON (c.order_id, c.n) = (p.order_id, p.n)
  LEFT JOIN recalc_slot s ON s.line_id = c.line_id AND s.service_from >= p.service_from AND s.service_from < p.high
  LEFT JOIN recalc_amount m ON m.slot_id = s.slot_id
  GROUP BY p.slot_id, p.order_id, p.n, p.service_from, p.high
), told AS (
  SELECT p.*, t.charged, p.amount * CASE WHEN n.num = n.den THEN 1 ELSE round(n.num, 200) / n.den END AS promised
  FROM recalc_promise p JOIN counted t USING (slot_id) JOIN recalc_span n ON n.piece_id = p.slot_id
)
SELECT t.slot_id, t.line_id, g.segment_id, 'minimum'::text AS kind, t.low AS period_from, t.service_from,
       t.service_to, t.promised, t.charged, e.exact, round(round(e.exact, 90), t.digits) AS amount
FROM told t
CROSS JOIN LATERAL (
  SELECT CASE WHEN charged < promised THEN promised - charged ELSE (charged - promised) * (factor - 1) END AS exact
) e
JOIN LATERAL (
  SELECT s.segment_id FROM recalc_stretch s WHERE s.line_id = t.line_id
  ORDER BY s.ends_on > t.service_from DESC, CASE WHEN s.ends_on > t.service_from THEN s.starts_on END,
           s.starts_on DESC
  LIMIT 1
) g ON true
LEFT JOIN recalc_billed b ON (b.line_id, b.segment_id, b.kind, b.period_from)
                           = (t.line_id, g.segment_id, 'minimum', t.low)
WHERE NOT (SELECT early FROM recalc_asked)
  AND (t.service_to - 1 < (SELECT through FROM recalc_asked) OR b.line_id IS NOT NULL);

-- Expected by this calculator, billed before, and what is therefore due.
CREATE TEMPORARY TABLE recalc_due ON COMMIT DROP AS
SELECT coalesce(e.line_id, b.line_id) AS line_id, coalesce(e.segment_id, b.segment_id) AS segment_id,
       coalesce(e.kind, b.kind) AS kind, coalesce(e.period_from, b.period_from) AS period_from,
       e.slot_id, coalesce(e.amount, 0) AS expected, coalesce(b.amount, 0) AS billed,
       coalesce(e.amount, 0) - coalesce(b.amount, 0) AS due,
       b.line_id IS NOT NULL AS corrects,
       CASE WHEN e.slot_id IS NULL THEN b.covers_from
            WHEN b.line_id IS NULL OR b.covers_from >= b.covers_to
              OR (b.covers_from, b.covers_to) = (e.service_from, e.service_to) THEN e.service_from
            WHEN b.covers_from = e.service_from THEN least(b.covers_to, e.service_to)
            ELSE least(b.covers_from, e.service_from) END AS changes_on,
       e.due_on
FROM (
  SELECT s.slot_id, s.line_id, s.segment_id, s.kind, s.period_from, s.service_from, s.service_to, m.amount,
         s.due_on
  FROM recalc_slot s JOIN recalc_amount m USING (slot_id) WHERE s.counts AND s.wanted
  UNION ALL
  SELECT slot_id, line_id, segment_id, kind, period_from, service_from, service_to, amount, service_to - 1
  FROM recalc_true_up
  UNION ALL
  SELECT i.slot_id, i.line_id, i.segment_id, i.kind, i.period_from, i.service_from, i.service_to, i.amount, i.due_on
  FROM recalc_instalment i CROSS JOIN recalc_asked a
  LEFT JOIN recalc_billed b ON (b.line_id, b.segment_id, b.kind, b.period_from)
                             = (i.line_id, i.segment_id, i.kind, i.period_from)
  WHERE NOT a.early AND (i.due_on < a.through OR b.line_id IS NOT NULL)
) e
FULL JOIN (
  SELECT b.* FROM recalc_billed b, recalc_asked a
  WHERE (NOT a.early OR EXISTS (SELECT 1 FROM recalc_drafted n
    WHERE (n.line_id, n.segment_id, n.kind, n.period_from)
        = (b.line_id, b.segment_id, b.kind, b.period_from)))
  AND NOT EXISTS (SELECT 1 FROM recalc_slot s WHERE NOT s.wanted AND s.counts
    AND (s.line_id, s.segment_id, s.kind, s.period_from) = (b.line_id, b.segment_id, b.kind, b.period_from))
) b ON (b.line_id, b.segment_id, b.kind, b.period_from) = (e.line_id, e.segment_id, e.kind, e.period_from)
