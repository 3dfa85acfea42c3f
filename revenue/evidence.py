"""Controls over contracts and closes, as auditors ask about them."""

from __future__ import annotations

from o2c.evidence.approved import item, reached, unapproved
from o2c.evidence.registry import Control

_VERSIONS = """
FROM revenue_contractversion v JOIN revenue_revenuecontract c ON c.id = v.contract_id
JOIN orders_order o ON o.id = c.order_id
WHERE v.recorded_at >= %(start)s AND v.recorded_at < %(end)s
"""
_LOCKED = """
FROM revenue_closerun r JOIN ledger_accountingperiod p ON p.id = r.period_id
JOIN ledger_legalentity e ON e.id = p.entity_id
WHERE r.reviewed_at >= %(start)s AND r.reviewed_at < %(end)s
"""
_TIED = _LOCKED.replace("WHERE", "JOIN revenue_tieout t ON t.close_id = r.id AND t.attempt = r.attempt WHERE")
_JUDGED = f"""
FROM revenue_treatmentjudgement j JOIN orders_amendment a ON a.id = j.amendment_id
{reached("revenue_historicaltreatmentjudgement", "j.id", "w.state = 'approved'")}
WHERE h.history_date >= %(start)s AND h.history_date < %(end)s
"""
_SIGNED = f"""
FROM revenue_sspentry x JOIN orders_sku k ON k.id = x.sku_id
{reached("revenue_historicalsspentry", "x.id", "w.approved_by_id IS NOT NULL")}
WHERE x.approved_by_id IS NOT NULL AND h.history_date >= %(start)s AND h.history_date < %(end)s
"""
_REOPENED = f"""
FROM revenue_closerun r JOIN ledger_accountingperiod p ON p.id = r.period_id
{reached("revenue_historicalcloserun", "r.id", "w.state = 'reopened'")}
WHERE r.state = 'reopened' AND coalesce(h.history_date, now()) >= %(start)s
  AND coalesce(h.history_date, now()) < %(end)s
"""
# What was exported, and how often a period was reopened, is of that moment; all else of a close stays.
_AS_REOPENED = """o2c_facts_revenue_close_reopen(w.row) || (SELECT jsonb_build_object(
  'exported', EXISTS (SELECT FROM revenue_glexport x WHERE x.period_id = r.period_id
                      AND x.created_at < w.at)::text,
  'reopened_before', (SELECT count(*) FROM revenue_closerun o JOIN revenue_historicalcloserun g ON g.id = o.id
                      WHERE o.period_id = r.period_id AND o.id <> r.id AND g.state = 'reopened'
                        AND g.history_type = '~' AND g.history_date < w.at)::text)
  FROM revenue_closerun r WHERE r.id = w.row)"""
_REOPENED_PERIODS = """
FROM (SELECT h.*, lag(h.state) OVER (PARTITION BY h.id ORDER BY h.history_id) AS before
      FROM ledger_historicalaccountingperiod h) h
JOIN ledger_legalentity e ON e.id = h.entity_id
WHERE h.before = 'closed' AND h.state <> 'closed' AND h.history_type = '~'
  AND h.history_date >= %(start)s AND h.history_date < %(end)s
"""
_FILES = """
FROM revenue_glexport x JOIN ledger_accountingperiod p ON p.id = x.period_id
JOIN ledger_legalentity e ON e.id = x.entity_id
WHERE x.created_at >= %(start)s AND x.created_at < %(end)s
"""
_HELD = """CROSS JOIN LATERAL (
  SELECT count(*) AS n FROM revenue_glexportjournal j WHERE j.export_id = x.id) c"""

CONTROLS = [
    Control(
        code="C-08",
        title="The whole price is allocated and scheduled, and a judged treatment was approved by another",
        risk="Revenue is recognised in the wrong amount or month, or as somebody chose to hit a number",
        kind="detective",
        enforced_by="revenue.services.contracts; invariants revenue.allocation-is-whole, schedule-is-whole;"
        " policy revenue.treatment.approve, triggers o2c_judgement_signed and o2c_judgement_counts, rule S38",
        model="revenue.ContractVersion",
        population=f"""
SELECT v.id, o.number AS "order", v.number AS version, v.cause, v.source, v.effective_on,
       v.transaction_price, v.recorded_at
{_VERSIONS} ORDER BY v.id""",
        exceptions=f"""
SELECT v.id, 'allocated is not the transaction price' AS problem {_VERSIONS}
  AND v.transaction_price <> (SELECT coalesce(sum(a.price + a.credit), 0) FROM revenue_allocation a
                              WHERE a.version_id = v.id)
UNION ALL SELECT v.id, 'a schedule is not the price that it schedules' {_VERSIONS}
  AND EXISTS (SELECT FROM revenue_allocation a
              JOIN revenue_obligation b ON b.id = a.obligation_id AND b.basis = 'fixed'
              WHERE a.version_id = v.id AND a.price + a.credit <>
                (SELECT coalesce(sum(s.amount), 0) FROM revenue_scheduleslice s
                 WHERE s.version_id = v.id AND s.obligation_id = a.obligation_id))
UNION ALL SELECT v.id, 'judged, and no approved judgement says so' {_VERSIONS} AND v.cause = 'judged'
  AND NOT EXISTS (SELECT FROM revenue_treatmentjudgement j
                  WHERE v.source = 'revenue.treatmentjudgement:' || j.id AND j.state = 'approved')
UNION ALL SELECT v.id, 'proposed, or its amendment drafted, and approved by one person' {_VERSIONS}
  AND EXISTS (SELECT FROM revenue_treatmentjudgement j JOIN orders_amendment a ON a.id = j.amendment_id
              WHERE v.source = 'revenue.treatmentjudgement:' || j.id
                AND j.decided_by_id IN (j.proposed_by_id, a.drafted_by_id))
ORDER BY 1, 2""",
    ),
    Control(
        code="C-08b",
        title="Stand-alone selling prices are approved by another person, large moves by more",
        risk="Revenue is moved between products and months",
        kind="preventive",
        enforced_by="policy revenue.ssp.approve, deferred trigger on revenue_sspentry, rules S36, S37",
        model="revenue.SspEntry",
        population=f"""
SELECT x.id, k.code AS sku, x.currency, x.unit_amount, x.per, x.effective_from, x.method,
       h.history_actor AS approved_by, h.history_date AS approved_at
{_SIGNED} ORDER BY x.id""",
        exceptions=f"""
SELECT x.id, 'approved by whoever entered it' AS problem {_SIGNED}
  AND EXISTS (SELECT FROM revenue_historicalsspentry w JOIN access_user u ON u.id = w.history_user_id
              WHERE w.id = x.id AND w.history_type = '+' AND w.history_user_id = x.approved_by_id
                AND u.kind = 'human')
UNION ALL {unapproved("revenue.ssp.approve", item("x.id") + _SIGNED)}
ORDER BY 1, 2""",
    ),
    Control(
        code="C-08c",
        title="How a modification is treated is judged by one person and approved by others",
        risk="Revenue is moved between months to hit a number",
        kind="preventive",
        enforced_by="policy revenue.treatment.approve, deferred trigger on revenue_treatmentjudgement, S38",
        model="revenue.TreatmentJudgement",
        population=f"""
SELECT j.id, j.treatment, j.price_support, j.support, a.number AS amendment,
       (SELECT username FROM access_user u WHERE u.id = j.proposed_by_id) AS proposed_by,
       h.history_actor AS approved_by, h.history_date AS approved_at
{_JUDGED} ORDER BY j.id""",
        exceptions=f"""
SELECT j.id, 'proposed, or its amendment drafted, and approved by one person' AS problem {_JUDGED}
  AND h.history_user_id IN (j.proposed_by_id, a.drafted_by_id)
UNION ALL {unapproved("revenue.treatment.approve", item("j.id") + _JUDGED)}
ORDER BY 1, 2""",
    ),
    Control(
        code="C-09",
        title="Before a month is locked, every tie-out is at zero or explained by a person",
        risk="Sub-ledgers and ledger drift apart",
        kind="detective",
        enforced_by="revenue.services.close.prepare and lock",
        model="revenue.TieOut",
        population=f"""
SELECT t.id, e.code AS entity, p.name AS period, t.code, t.expected, t.actual, t.difference, t.differing
{_TIED}
ORDER BY t.id""",
        exceptions=f"""
SELECT t.id, t.code || ' differs and nobody explained it' AS problem
{_TIED}
  AND (t.difference <> 0 OR t.differing > 0)
  AND NOT EXISTS (SELECT FROM revenue_explanation x WHERE x.close_id = r.id AND x.code = t.code
                  AND x.figures_digest = t.figures_digest)
ORDER BY 1""",
    ),
    Control(
        code="C-10",
        title="A month is locked by two people, and nothing posts to it afterwards",
        risk="Closed books change",
        kind="preventive",
        enforced_by="triggers o2c_open_period and revenue_locked_by_close, rules S34, S35",
        model="revenue.CloseRun",
        population=f"""
SELECT r.id, e.code AS entity, p.name AS period, r.number, r.state, r.prepared_at, r.reviewed_at,
       (SELECT username FROM access_user u WHERE u.id = r.prepared_by_id) AS prepared_by,
       (SELECT username FROM access_user u WHERE u.id = r.reviewed_by_id) AS reviewed_by,
       (SELECT username FROM access_user u WHERE u.id = r.reopened_by_id) AS reopened_by
{_LOCKED} ORDER BY r.id""",
        exceptions=f"""
SELECT r.id, 'prepared and reviewed by one person' AS problem {_LOCKED}
  AND r.prepared_by_id = r.reviewed_by_id
UNION ALL SELECT r.id, 'journals were posted after it was locked' {_LOCKED} AND r.state = 'locked'
  AND EXISTS (SELECT FROM ledger_journal j WHERE j.period_id = r.period_id AND j.recorded_at > r.reviewed_at)
ORDER BY 1, 2""",
    ),
    Control(
        code="C-10b",
        title="A closed month is reopened by two people, and with the approval that it needs",
        risk="Closed books change",
        kind="preventive",
        enforced_by="policy revenue.close.reopen, deferred trigger on revenue_closerun, rule S35",
        model="revenue.CloseRun",
        population=f"""
SELECT r.id, p.name AS period, r.number, r.reopening_reason,
       (SELECT username FROM access_user u WHERE u.id = r.reopening_asked_by_id) AS asked_by,
       (SELECT username FROM access_user u WHERE u.id = r.reopened_by_id) AS reopened_by, h.history_date AS at
{_REOPENED} ORDER BY r.id""",
        exceptions=f"""
SELECT r.id, 'asked for and granted by one person' AS problem {_REOPENED}
  AND r.reopening_asked_by_id = r.reopened_by_id
UNION ALL SELECT r.id, 'says no reason' {_REOPENED} AND trim(r.reopening_reason) = ''
UNION ALL {unapproved("revenue.close.reopen", item("r.id") + _REOPENED, _AS_REOPENED)}
ORDER BY 1, 2""",
    ),
    Control(
        code="C-10c",
        title="No closed month opens but by a reopening of its close",
        risk="A month is opened behind its signatures",
        kind="preventive",
        enforced_by="trigger revenue_locked_by_close on ledger_accountingperiod",
        model="ledger.AccountingPeriod",
        population=f"""
SELECT h.id, e.code AS entity, h.name AS period, h.state, h.history_actor AS opened_by, h.history_date AS at
{_REOPENED_PERIODS} ORDER BY h.history_id""",
        exceptions=f"""
SELECT h.id, 'opened again without a reopening of its close' AS problem {_REOPENED_PERIODS}
  AND NOT EXISTS (SELECT FROM revenue_historicalcloserun c WHERE c.period_id = h.id AND c.state = 'reopened'
                  AND c.history_txid = h.history_txid)
ORDER BY 1""",
    ),
    Control(
        code="C-18",
        title="Files for the general ledger hold the journals that they name, with their totals",
        risk="Decisions and books rest on a report that leaves something out",
        kind="detective",
        enforced_by="revenue.services.exports.build, check constraint export_balances, hash of every file",
        model="revenue.GlExport",
        population=f"""
SELECT x.id, x.external_id, e.code AS entity, p.name AS period, x.journals, x.lines, x.total_debit,
       x.total_credit, x.sha256, x.state, x.created_at
{_FILES} ORDER BY x.id""",
        exceptions=f"""
SELECT x.id, 'says ' || x.journals || ' journals, and holds ' || c.n AS problem
{_FILES.replace("WHERE", f"{_HELD} WHERE", 1)}
  AND c.n <> x.journals
UNION ALL SELECT x.id, 'its totals are not those of its journals' {_FILES}
  AND (SELECT (sum(l.functional_debit), sum(l.functional_credit))
              IS DISTINCT FROM (x.total_debit, x.total_credit)
       FROM revenue_glexportjournal j JOIN ledger_journalline l ON l.journal_id = j.journal_id
    WHERE j.export_id = x.id)
UNION ALL SELECT x.id, 'its lines are not its totals' {_FILES}
  AND (SELECT (sum(l.functional_debit), sum(l.functional_credit))
              IS DISTINCT FROM (x.total_debit, x.total_credit)
       FROM revenue_glexportline l WHERE l.export_id = x.id)
UNION ALL SELECT x.id, 'the stored file is not the one that was sent' {_FILES}
  AND NOT EXISTS (SELECT FROM documents_document d WHERE d.id = x.document_id AND d.sha256 = x.sha256
                  AND encode(sha256(d.content), 'hex') = x.sha256)
UNION ALL SELECT x.id, 'nobody is on record as having taken it' {_FILES}
  AND NOT EXISTS (SELECT FROM access_readevent a WHERE a.kind = 'file'
                  AND a.what = 'journals: ' || x.external_id)
ORDER BY 1, 2""",
    ),
]
