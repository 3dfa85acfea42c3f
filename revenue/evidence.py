"""Controls over contracts and closes, as auditors ask about them."""

from __future__ import annotations

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
UNION ALL SELECT v.id, 'moves more than a second person decides alone, without its approvals' {_VERSIONS}
  AND EXISTS (SELECT FROM revenue_treatmentjudgement j
              WHERE v.source = 'revenue.treatmentjudgement:' || j.id
                AND (o2c_facts_revenue_treatment_approve(j.id)->>'moved')::numeric > 10000
                AND NOT EXISTS (SELECT FROM approvals_request r WHERE r.act = 'revenue.treatment.approve'
                                AND r.result_id = j.id AND r.state = 'committed'))
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
UNION ALL SELECT r.id, 'asked to reopen and granted by one person' {_LOCKED}
  AND r.reopening_asked_by_id = r.reopened_by_id
UNION ALL SELECT r.id, 'journals were posted after it was locked' {_LOCKED} AND r.state = 'locked'
  AND EXISTS (SELECT FROM ledger_journal j WHERE j.period_id = r.period_id AND j.recorded_at > r.reviewed_at)
ORDER BY 1, 2""",
    ),
]
