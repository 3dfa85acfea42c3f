"""What the second calculator says of a run's drafts: its totals, and a blocker for every disagreement."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal

from billing.models import BillRun, BillRunFinding
from billing.recalculation import calculator, credit, workings
from billing.services.findings import finding
from orders.models import Order

SHOWN = 200


@dataclass(frozen=True, slots=True)
class Checked:
    """Net due per currency as recalculated, what a person should see, and how many charges differ."""

    totals: dict[str, Decimal]
    findings: list[BillRunFinding]
    differences: int


def check(run: BillRun, orders: Mapping[int, Order], refused: Collection[int]) -> Checked:
    """Re-rate the drafts of these orders; one cent of difference blocks the run.

    `refused` are orders that could not be charged: nothing was drafted for them, and the run is blocked
    already. Inside the caller's transaction, after the drafts are stored.
    """
    outcome = calculator.recalculate(
        set(orders) - set(refused),
        through=run.through,
        run_id=run.pk,
        early=run.kind == BillRun.Kind.THRESHOLD,
    )
    paid = credit.differences()
    compared = [*workings.compare(outcome.different[:SHOWN]), *paid[:SHOWN]]
    found = [_disagreement(run, orders, one) for one in compared]
    if len(outcome.different) + len(paid) > len(compared):
        rest = len(outcome.different) + len(paid) - len(compared)
        found.append(finding(run, "recalculation", f"{rest} more charges differ", working={}))
    for odd in outcome.covers:
        order, message = orders[odd.order_id], f"{odd.order_number} line {odd.position}: {odd.what}"
        found.append(finding(run, "recalculation", message, customer=order.customer, currency=order.currency))
    differences = len(found)
    for odd in outcome.odd:
        order = orders[odd.order_id]
        message = f"{odd.order_number} line {odd.position}: {odd.what} cannot be recalculated"
        found.append(
            finding(run, "not_recalculated", message, customer=order.customer, currency=order.currency)
        )
    return Checked(outcome.totals, found, differences)


def _disagreement(run: BillRun, orders: Mapping[int, Order], one: workings.Comparison) -> BillRunFinding:
    row, first = one.different, one.first
    message = (
        f"{row.order_number} line {row.position}, {row.kind} from {row.period_from}:"
        f" drafted {row.drafted:f}, recalculated {row.due:f}."
        f" First difference: {first.name}, {first.drafted} beside {first.recalculated}"
    )
    return finding(
        run,
        "recalculation",
        message,
        customer=orders[row.order_id].customer,
        invoice_id=row.invoice_id,
        currency=row.currency,
        amount=row.drafted - row.due,
        working={"first": first.name, "steps": [asdict(step) for step in one.steps]},
    )
