"""Acts of revenue under approval: stand-alone prices that move, periods whose books have left the house."""

from __future__ import annotations

from typing import Any

from o2c.controls.approvals.declaring import bands, rule, step
from o2c.controls.approvals.registry import Act, Lineage
from revenue import policy_treatment

SSP_FACTS = """
SELECT jsonb_build_object(
  'sku', s.code || ' ' || s.name, 'currency', x.currency, 'unit_amount', x.unit_amount::text, 'per', x.per,
  'low', coalesce(x.low::text, ''), 'high', coalesce(x.high::text, ''), 'method', x.method,
  'evidence', x.evidence, 'effective_from', x.effective_from::text,
  'before', coalesce(b.unit_amount::text, 'none'),
  'moves_percent', coalesce(CASE WHEN b.per <> x.per OR b.unit_amount = 0 THEN 100
      ELSE round(abs(x.unit_amount / b.unit_amount - 1) * 100, 4) END, 0)::text)
FROM revenue_sspentry x JOIN orders_sku s ON s.id = x.sku_id
LEFT JOIN LATERAL (
  SELECT y.* FROM revenue_sspentry y WHERE y.sku_id = x.sku_id AND y.currency = x.currency AND y.id <> x.id
    AND y.approved_by_id IS NOT NULL AND y.effective_from < x.effective_from
  ORDER BY y.effective_from DESC LIMIT 1) b ON true
WHERE x.id = $1
"""

REOPEN_FACTS = """
SELECT jsonb_build_object(
  'period', p.name, 'entity', e.code || ' ' || e.legal_name, 'close', r.number::text,
  'reason', r.reopening_reason, 'prepared_on', coalesce((r.prepared_at AT TIME ZONE 'UTC')::date::text, ''),
  'exported', EXISTS (SELECT 1 FROM revenue_glexport x WHERE x.period_id = p.id)::text,
  'reopened_before', (SELECT count(*) FROM revenue_closerun o
                      WHERE o.period_id = p.id AND o.id <> r.id AND o.state = 'reopened')::text)
FROM revenue_closerun r JOIN ledger_accountingperiod p ON p.id = r.period_id
JOIN ledger_legalentity e ON e.id = p.entity_id
WHERE r.id = $1
"""

ACTS = [
    Act(
        code="revenue.ssp.approve",
        label="Approve a stand-alone selling price",
        model="revenue.SspEntry",
        service="revenue.services.ssp.approve",
        duty="revenue.ssp.propose",
        does="revenue.ssp.approve",
        facts=SSP_FACTS,
        table="revenue_sspentry",
        reached="{row}.approved_by_id IS NOT NULL",
        lineage=(
            Lineage(
                "revenue.SspEntry",
                "h.id = $1",
                ("unit_amount", "per", "low", "high", "method", "evidence", "effective_from"),
            ),
        ),
        amount="",
        labels={
            "sku": "SKU",
            "currency": "Currency",
            "unit_amount": "Price",
            "before": "Price before",
            "moves_percent": "Moves by, percent",
            "per": "For",
            "low": "Range from",
            "high": "Range to",
            "method": "Method",
            "evidence": "Evidence",
            "effective_from": "Valid from",
        },
    ),
    Act(
        code="revenue.close.reopen",
        label="Reopen a closed period",
        model="revenue.CloseRun",
        service="revenue.services.close.reopen",
        duty="revenue.close.ask_reopen",
        does="revenue.close.reopen",
        facts=REOPEN_FACTS,
        table="revenue_closerun",
        reached="{row}.state = 'reopened'",
        lineage=(Lineage("revenue.CloseRun", "h.id = $1", ("reopening_asked_by_id", "reopening_reason")),),
        amount="",
        labels={
            "period": "Period",
            "entity": "Entity",
            "close": "Close",
            "reason": "Why",
            "prepared_on": "Prepared on",
            "exported": "Exported to the general ledger",
            "reopened_before": "Reopened before",
        },
    ),
]

ACTS += policy_treatment.ACTS

_SSP_WATCHES = (
    ("moves_percent", "up"), ("unit_amount", "change"), ("evidence", "change"), ("effective_from", "change"),
)  # fmt: skip
_BOTH = ("approver", "controller")

POLICIES: dict[str, dict[str, Any]] = {
    "revenue.ssp.approve": {
        "title": "Stand-alone selling prices",
        "clause": (
            "Who proposed a stand-alone price does not approve it (S36). One that moves by more than"
            " 10 percent"
            " is decided by an approver, who allocates nothing, and by the controller: it moves"
            " revenue between"
            " the obligations of every later contract."
        ),
        "bands": bands("moves_percent", ("10", ()), (None, _BOTH)),
        "steps": [
            step("approver", "Approver", "revenue.ssp.approve_change", *_SSP_WATCHES),
            step("controller", "Controller", "revenue.ssp.approve", *_SSP_WATCHES),
        ],
    },
    "revenue.close.reopen": {
        "title": "Reopening of periods",
        "clause": (
            "One person asks for a closed period to be reopened, the controller grants it (S35)."
            " Once its books"
            " were exported to the general ledger, or when it was reopened before, an approver decides too."
        ),
        "rules": [
            rule("exported", "Its books have left for the general ledger", _BOTH, ("exported", "=", "true")),
            rule("again", "It was reopened before", _BOTH, ("reopened_before", ">", "0")),
        ],
        "steps": [
            step("approver", "Approver", "revenue.close.approve_reopen", ("reason", "change")),
            step("controller", "Controller", "revenue.close.reopen", ("reason", "change")),
        ],
    },
}
POLICIES |= policy_treatment.POLICIES
