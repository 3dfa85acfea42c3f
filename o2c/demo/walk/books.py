"""Month end: revenue, tie-outs, two signatures, the lock, and the file for the general ledger."""

from __future__ import annotations

from o2c.demo.walk.cast import Cast
from o2c.errors import Conflict
from o2c.ledger.models import AccountingPeriod, LegalEntity
from revenue.models import CloseRun
from revenue.selectors import checklist
from revenue.services import close as closing
from revenue.services import exports, recognition


def close(cast: Cast, entity: LegalEntity, month: str) -> CloseRun:
    """Close the month of one entity: Rosa recognises and prepares, Carla reviews and locks."""
    period = AccountingPeriod.objects.get(entity=entity, name=month)
    done = CloseRun.objects.filter(period=period, state=CloseRun.State.LOCKED).first()
    if done is not None:
        return done
    recognition.run(entity.pk, month, actor=cast.rosa)
    export(cast, period)
    run = closing.start(period.pk, actor=cast.rosa, reason=f"Close {month}")
    if run.state == CloseRun.State.OPEN:
        run = closing.run_tie_outs(run.pk, actor=cast.rosa)
        for item in checklist.items(run):
            code = item.query.code
            if item.standing == "differs" and code in EXPLANATIONS:
                closing.explain(run.pk, code=code, actor=cast.rosa, reason=EXPLANATIONS[code])
        run = closing.prepare(run.pk, actor=cast.rosa, reason="Tie-outs agree or are explained")
    return closing.lock(run.pk, actor=cast.carla, reason="Reviewed")


EXPLANATIONS = {
    "usage.parked": "Events of a test tenant without a contract; not billable, with the product team",
}


def export(cast: Cast, period: AccountingPeriod) -> None:
    """Hand the journals of the period that were not exported yet to the general ledger, which takes them."""
    try:
        file = exports.build(period.pk, actor=cast.rosa)
    except Conflict:
        return
    exports.mark_sent(file.pk, actor=cast.rosa)
    exports.acknowledge(
        file.pk,
        lines=file.lines,
        total_debit=file.total_debit,
        gl_reference=f"NS-{file.external_id}",
        actor=cast.rosa,
    )
