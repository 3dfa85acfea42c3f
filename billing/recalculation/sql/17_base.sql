-- Which price a stretch has on which days: the one that it names, or so many times that of another SKU. That
-- is what an override of the customer says of the other SKU, else its line on the same order, else the list.

CREATE TEMPORARY TABLE recalc_base ON COMMIT DROP AS
WITH following AS (
  SELECT s.segment_id, s.line_id, s.starts_on, s.ends_on, s.spec->>'sku' AS code, l.begins, l.order_id, l.currency,
         coalesce((s.spec->>'factor')::numeric, 1) AS factor
  FROM recalc_stretch s JOIN recalc_line l USING (line_id) WHERE s.spec->>'model' = 'of'
), layers AS (
  SELECT f.segment_id, 0 AS priority, p.effective_from AS starts_on,
         coalesce(p.effective_to, 'infinity'::date) AS ends_on, p.spec, f.begins AS counted_from
  FROM following f JOIN orders_sku k ON k.code = f.code
  JOIN orders_price p ON p.sku_id = k.id AND p.currency = f.currency AND p.state = 'active'
  UNION ALL
  SELECT f.segment_id, 1, o.starts_on, o.ends_on, o.spec, x.begins
  FROM following f JOIN recalc_line x ON x.order_id = f.order_id AND x.line_id <> f.line_id
  JOIN orders_orderline n ON n.id = x.line_id JOIN orders_sku k ON k.id = n.sku_id AND k.code = f.code
  JOIN recalc_stretch o ON o.line_id = x.line_id
  UNION ALL
  SELECT f.segment_id, CASE WHEN a.order_id IS NULL THEN 2 ELSE 3 END, a.starts_on,
         coalesce(a.ends_on, 'infinity'::date), a.spec, f.begins
  FROM following f JOIN orders_sku k ON k.code = f.code JOIN orders_order o ON o.id = f.order_id
  JOIN orders_priceadjustment a ON a.customer_id = o.customer_id AND a.state = 'active' AND a.sku_id = k.id
   AND coalesce(a.order_id, o.id) = o.id AND a.method = 'replace' AND a.dimensions = '{}'
), days AS (
  SELECT segment_id, ends_on AS last, day, lead(day, 1, ends_on) OVER (PARTITION BY segment_id ORDER BY day) AS until
  FROM (
    SELECT segment_id, ends_on, starts_on AS day FROM following
    UNION
    SELECT f.segment_id, f.ends_on, y.day FROM following f JOIN layers y0 USING (segment_id)
    CROSS JOIN LATERAL (VALUES (y0.starts_on), (y0.ends_on)) AS y(day)
    WHERE y.day > f.starts_on AND y.day < f.ends_on
  ) d
), chosen AS (
  SELECT d.segment_id, d.day, d.until, f.factor, t.spec,
         CASE WHEN t.spec->>'model' = 'ramp' THEN t.counted_from ELSE f.begins END AS counted_from,
         md5(regexp_replace(regexp_replace(t.spec::text, '(\.[0-9]*?)0+"', '\1"', 'g'), '\."', '"', 'g')) AS clause
  FROM days d JOIN following f USING (segment_id) JOIN LATERAL (
    SELECT * FROM layers y WHERE y.segment_id = d.segment_id AND y.starts_on <= d.day AND y.ends_on > d.day
    ORDER BY y.priority DESC LIMIT 1
  ) t ON true
), marked AS (
  SELECT *, (lag(clause) OVER w, lag(counted_from) OVER w, lag(until) OVER w)
            IS DISTINCT FROM (clause, counted_from, day) AS opens
  FROM chosen WINDOW w AS (PARTITION BY segment_id ORDER BY day)
), counted AS (
  SELECT *, sum(opens::int) OVER (PARTITION BY segment_id ORDER BY day) AS island FROM marked
)
SELECT segment_id, min(day) AS starts_on, max(until) AS ends_on, min(clause) AS clause, (array_agg(spec))[1] AS spec,
       min(factor) AS factor, min(counted_from) AS counted_from
FROM counted GROUP BY segment_id, island
UNION ALL
SELECT s.segment_id, s.starts_on, s.ends_on, s.clause, s.spec, 1, l.begins
FROM recalc_stretch s JOIN recalc_line l USING (line_id) WHERE s.spec->>'model' <> 'of';

CREATE INDEX ON recalc_base (segment_id);
ANALYZE recalc_base
