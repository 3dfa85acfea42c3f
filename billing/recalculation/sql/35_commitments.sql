-- Minimum commitments: the amount for the covered share of a period, less the exact charges whose service
-- begins in it; what is short is billed by the first usage line that the commitment counts. With an overage
-- factor, what goes beyond is billed that much more.

CREATE TEMPORARY TABLE recalc_commitment ON COMMIT DROP AS
SELECT o.id AS order_id, c.n, (c.clause->>'amount')::numeric AS amount, c.clause->>'per' AS per,
       coalesce((c.clause->>'overage_factor')::numeric, 1) AS factor, o.starts_on, o.ends_on,
       coalesce(c.clause->'skus', '[]') AS skus
FROM recalc_order a JOIN orders_order o ON o.id = a.order_id
CROSS JOIN LATERAL jsonb_array_elements(o.commitments) WITH ORDINALITY AS c(clause, n);

CREATE TEMPORARY TABLE recalc_counts ON COMMIT DROP AS
SELECT c.order_id, c.n, l.line_id, l.position, l.kind
FROM recalc_commitment c JOIN recalc_line l USING (order_id)
JOIN orders_orderline r ON r.id = l.line_id JOIN orders_sku k ON k.id = r.sku_id
WHERE l.kind IN ('recurring', 'usage') AND (c.skus = '[]' OR c.skus ? k.code);

CREATE TEMPORARY TABLE recalc_promise ON COMMIT DROP AS
WITH carried AS (
  SELECT c.*, l.line_id, l.months_from, l.days_from, l.convention, l.zone, l.digits, l.ends AS line_ends,
         least((SELECT ends_on FROM recalc_horizon), l.ends) AS until
  FROM recalc_commitment c
  JOIN LATERAL (SELECT line_id FROM recalc_counts t WHERE (t.order_id, t.n) = (c.order_id, c.n)
                AND t.kind = 'usage' ORDER BY t.position LIMIT 1) f ON true
  JOIN recalc_line l ON l.line_id = f.line_id
), grid AS (
  SELECT c.*, g.low, g.high, n.months FROM carried c JOIN recalc_length n ON n.every = c.per
  CROSS JOIN LATERAL (SELECT CASE WHEN n.months > 0 THEN months_from ELSE days_from END AS grid_from) f
  CROSS JOIN LATERAL (
    SELECT CASE WHEN n.months > 0 THEN (grid_from + make_interval(months => k * n.months))::date
                ELSE grid_from + k * n.days END AS low,
           CASE WHEN n.months > 0 THEN (grid_from + make_interval(months => (k + 1) * n.months))::date
                ELSE grid_from + (k + 1) * n.days END AS high
    FROM generate_series(
      CASE WHEN n.months > 0
        THEN floor((12 * (extract(year FROM starts_on) - extract(year FROM grid_from))
                   + extract(month FROM starts_on) - extract(month FROM grid_from)) / n.months)::int - 1
        ELSE floor((starts_on - grid_from)::numeric / n.days)::int END,
      CASE WHEN n.months > 0
        THEN floor((12 * (extract(year FROM until) - extract(year FROM grid_from))
                   + extract(month FROM until) - extract(month FROM grid_from)) / n.months)::int
        ELSE floor((until - grid_from)::numeric / n.days)::int END) AS k
  ) g
  WHERE g.high > starts_on
  UNION ALL
  SELECT c.*, c.starts_on, c.ends_on, 1 FROM carried c WHERE c.per = 'term' AND c.ends_on IS NOT NULL
)
SELECT -row_number() OVER () AS slot_id, g.*, greatest(low, starts_on) AS service_from,
       least(high, coalesce(ends_on, 'infinity'::date)) AS service_to
FROM grid g WHERE least(high, coalesce(ends_on, 'infinity'::date)) <= until
  AND least(high, coalesce(ends_on, 'infinity'::date)) > greatest(low, starts_on)
