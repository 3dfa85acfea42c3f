-- What is agreed beside the order: overrides of the customer, and coupons from the first billing period that
-- begins on the day of redemption or later. What is charged once follows what held on the first day of its
-- line; a prepayment and a schedule are negotiated on their line alone.

CREATE TEMPORARY TABLE recalc_agreed ON COMMIT DROP AS
WITH said AS (
  SELECT l.line_id, l.once, l.begins, 'Override ' || a.id AS name, a.method, a.value, a.dimensions AS scope,
         a.spec, (a.order_id IS NOT NULL)::int AS rank, a.starts_on,
         coalesce(a.ends_on, 'infinity'::date) AS ends_on
  FROM recalc_line l JOIN orders_order o ON o.id = l.order_id
  JOIN orders_orderline r ON r.id = l.line_id JOIN orders_sku k ON k.id = r.sku_id
  JOIN orders_priceadjustment a ON a.customer_id = o.customer_id AND a.state = 'active'
   AND coalesce(a.order_id, o.id) = o.id AND coalesce(a.sku_id, k.id) = k.id
   AND coalesce(a.product_id, k.product_id) = k.product_id
  UNION ALL
  SELECT l.line_id, l.once, l.begins, c.code, c.method, c.value, '{}', NULL, 0, w.starts_on, w.ends_on
  FROM recalc_line l JOIN orders_redemption d ON d.line_id = l.line_id JOIN orders_coupon c ON c.id = d.coupon_id
  LEFT JOIN recalc_length n USING (every)
  CROSS JOIN LATERAL (
    SELECT greatest(l.begins, d.redeemed_on) AS first_day,
           CASE WHEN n.months > 0 THEN l.months_from ELSE l.days_from END AS grid_from
  ) f
  CROSS JOIN LATERAL (
    SELECT CASE WHEN n.months > 0
      THEN floor((12 * (extract(year FROM first_day) - extract(year FROM grid_from))
                 + extract(month FROM first_day) - extract(month FROM grid_from)) / n.months)::int
      ELSE floor((first_day - grid_from)::numeric / nullif(n.days, 0))::int END AS k
  ) g
  CROSS JOIN LATERAL (
    -- Period h contains the first day; a coupon that is redeemed inside of one waits for the next.
    SELECT CASE WHEN n.months > 0 AND (grid_from + make_interval(months => k * n.months))::date > first_day
                THEN k - 1 ELSE k END AS h
  ) h
  CROSS JOIN LATERAL (
    SELECT h + CASE WHEN greatest(l.begins, CASE WHEN n.months > 0
                THEN (grid_from + make_interval(months => h * n.months))::date ELSE grid_from + h * n.days END)
              < d.redeemed_on THEN 1 ELSE 0 END AS i
  ) i
  CROSS JOIN LATERAL (
    SELECT CASE WHEN l.once THEN d.redeemed_on ELSE greatest(l.begins, CASE WHEN n.months > 0
             THEN (grid_from + make_interval(months => i * n.months))::date ELSE grid_from + i * n.days END) END
             AS starts_on,
           CASE WHEN c.periods IS NULL OR l.once THEN 'infinity'::date WHEN n.months > 0
             THEN (grid_from + make_interval(months => (i + c.periods) * n.months))::date
             ELSE grid_from + (i + c.periods) * n.days END AS ends_on
  ) w
)
SELECT line_id, name, method, value, scope, spec, rank,
       CASE WHEN once THEN '-infinity'::date ELSE starts_on END AS starts_on,
       CASE WHEN once THEN 'infinity'::date ELSE ends_on END AS ends_on,
       md5(regexp_replace(regexp_replace(spec::text, '(\.[0-9]*?)0+"', '\1"', 'g'), '\."', '"', 'g')) AS clause
FROM said JOIN recalc_line USING (line_id, once, begins)
WHERE kind <> 'prepaid' AND every <> 'custom' AND ends_on > starts_on AND (NOT once OR starts_on <= begins AND ends_on > begins);

CREATE INDEX ON recalc_agreed (line_id);
ANALYZE recalc_agreed
