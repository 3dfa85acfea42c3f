"""How a modification is accounted for (606-10-25-10 to 25-13), under approval by what it moves."""

from __future__ import annotations

from typing import Any

from o2c.controls.approvals.declaring import bands, rule, step
from o2c.controls.approvals.registry import Act, Lineage, in_functional

# Half of what goes up and down over all months: what leaves one month arrives in another.
_MOVED = """(SELECT coalesce(sum(abs(x.after - x.before)), 0) / 2 FROM revenue_judgedmonth x
  WHERE x.judgement_id = j.id)"""
_CLOSED = """(SELECT coalesce(sum({0}), 0) FROM revenue_judgedmonth x
  JOIN ledger_accountingperiod p ON p.entity_id = e.id AND p.starts_on = x.month AND p.state = 'closed'
  WHERE x.judgement_id = j.id)"""
# Up to the first open period's month: what that period takes at once.
_CATCH_UP = """(SELECT coalesce(sum(x.after - x.before), 0) FROM revenue_judgedmonth x
  WHERE x.judgement_id = j.id AND x.month <= (SELECT min(p.starts_on) FROM ledger_accountingperiod p
                  WHERE p.entity_id = e.id AND p.state <> 'closed'))"""


def _functional(amount: str) -> str:
    return in_functional(amount, "c.currency", "e.currency", "v.effective_on")


FACTS = f"""
SELECT jsonb_build_object(
  'contract', 'RC-' || o.number, 'customer', u.number || ' ' || u.name,
  'version', v.number::text, 'effective_on', v.effective_on::text,
  'amendment', a.number::text || ', ' || a.kind, 'treatment', j.treatment,
  'remaining_distinct', coalesce(j.remaining_distinct::text, ''), 'price_support', j.price_support,
  'memo', j.memo, 'support', j.support, 'currency', c.currency, 'functional_currency', e.currency,
  'moved', {_functional(_MOVED)}, 'catch_up', {_functional(_CATCH_UP)},
  'closed_moved', {_functional(_CLOSED.format("abs(x.after - x.before)"))},
  'closed_net', {_functional(_CLOSED.format("x.after - x.before"))},
  'obligations', coalesce((SELECT jsonb_object_agg(l.position::text, b.description || ', until now '
      || y.treatment_before)
    FROM revenue_judgedobligation y JOIN revenue_obligation b ON b.id = y.obligation_id
    JOIN orders_orderline l ON l.id = b.order_line_id WHERE y.judgement_id = j.id), '{{}}'),
  'months', coalesce((SELECT jsonb_object_agg(to_char(m.month, 'YYYY-MM'), m.before || ' to ' || m.after)
    FROM (SELECT x.month, sum(x.before)::text AS before, sum(x.after)::text AS after
          FROM revenue_judgedmonth x WHERE x.judgement_id = j.id GROUP BY 1
          HAVING sum(x.before) <> sum(x.after)) m), '{{}}'),
  'journals', coalesce((SELECT jsonb_object_agg(coalesce(j.journals->>'period', '') || ' ' || (k->>'account'),
      (k->>'name') || ': debit ' || (k->>'debit') || ', credit ' || (k->>'credit'))
    FROM jsonb_array_elements(j.journals->'lines') AS k), '{{}}'))
FROM revenue_treatmentjudgement j
JOIN revenue_contractversion v ON v.id = j.version_id JOIN revenue_revenuecontract c ON c.id = v.contract_id
JOIN orders_order o ON o.id = c.order_id JOIN orders_customer u ON u.id = c.customer_id
JOIN ledger_legalentity e ON e.id = c.entity_id JOIN orders_amendment a ON a.id = j.amendment_id
WHERE j.id = $1
"""

ACTS = [
    Act(
        code="revenue.treatment.approve",
        label="Approve the treatment of a modification",
        model="revenue.TreatmentJudgement",
        service="revenue.services.judgements.approve",
        duty="revenue.treatment.propose",
        does="revenue.treatment.approve",
        facts=FACTS,
        table="revenue_treatmentjudgement",
        reached="{row}.state = 'approved'",
        lineage=(
            Lineage(
                "revenue.TreatmentJudgement",
                "h.id = $1",
                (
                    "version_id",
                    "treatment",
                    "remaining_distinct",
                    "price_support",
                    "memo",
                    "support",
                    "proposed_by_id",
                ),
            ),
            Lineage(
                "orders.Amendment",
                "h.id = (SELECT j.amendment_id FROM revenue_treatmentjudgement j WHERE j.id = $1)",
                ("effective_on", "changes", "drafted_by_id"),
            ),
        ),
        amount="moved",
        labels={
            "moved": "Revenue moved between months, functional currency",
            "catch_up": "Catch-up in the first open period, functional currency",
            "closed_moved": "Of it in closed months, functional currency",
            "closed_net": "Net change of closed months, functional currency",
            "functional_currency": "Functional currency",
            "currency": "Currency",
            "contract": "Contract",
            "customer": "Customer",
            "version": "Version",
            "effective_on": "Counts from",
            "amendment": "Amendment",
            "treatment": "Treatment",
            "remaining_distinct": "What remains is distinct",
            "price_support": "Why the price is the stand-alone price",
            "memo": "Memo",
            "support": "Support",
            "obligations": "Obligations",
            "months": "Revenue by month, before and after",
            "journals": "What recognition would post more",
        },
    ),
]

_WATCHES = (
    ("moved", "up"), ("closed_moved", "up"), ("treatment", "change"), ("months", "change"),
    ("obligations", "change"), ("memo", "change"), ("support", "change"),
)  # fmt: skip
_BOTH = ("approver", "controller")

POLICIES: dict[str, dict[str, Any]] = {
    "revenue.treatment.approve": {
        "title": "Treatment of modifications",
        "clause": (
            "Who proposed the treatment of a modification, or drafted the amendment, does not decide about it"
            " (S38). One that moves up to 10,000 in functional currency between months is decided by a second"
            " person; above that an approver is asked, and above 100,000 the controller too. One that changes"
            " the revenue of a closed month is always decided by both: the difference posts in the first open"
            " period."
        ),
        "bands": bands("moved", ("10000", ()), ("100000", ("approver",)), (None, _BOTH)),
        "rules": [
            rule("closed", "Changes the revenue of a closed month", _BOTH, ("closed_moved", ">", "0")),
        ],
        "steps": [
            step("approver", "Approver", "revenue.treatment.approve", *_WATCHES),
            step("controller", "Controller", "revenue.treatment.approve_large", *_WATCHES),
        ],
    },
}
