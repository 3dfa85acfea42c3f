"""Judgements about modifications: proposed with their effects, decided by another, then a contract version.

Closed cents never move: recognition posts the difference between what the new version plans and what was
posted, in the first open period.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

from django.db import IntegrityError, transaction

from o2c import locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.controls.approvals.models import Request
from o2c.controls.approvals.registry import act
from o2c.controls.approvals.selectors.facts import authors_of
from o2c.errors import Conflict, InvalidInput, NotAuthorised, NotFound
from orders.models import Order
from revenue.domain.judgements import Judgement, contradictions, objections
from revenue.domain.types import Treatment
from revenue.models import (
    ContractVersion,
    JudgedMonth,
    JudgedObligation,
    Obligation,
    ScheduleSlice,
    TreatmentJudgement,
)
from revenue.selectors import judgements
from revenue.services import contracts, foresight
from revenue.services.drafting import DraftContract

APPROVE = "revenue.treatment.approve"
AMENDMENT = "orders.amendment:"
MODIFICATIONS = (ContractVersion.Cause.AMENDED, ContractVersion.Cause.CANCELLED)
Kind = TreatmentJudgement.Treatment
Months = dict[tuple[int, dt.date], tuple[Decimal, Decimal]]
ZERO = Decimal(0)


def propose(
    version_id: int,
    *,
    obligations: Sequence[int],
    treatment: str,
    memo: str,
    support: str,
    actor: Actor,
    remaining_distinct: bool | None = None,
    price_support: str = "",
    reason: str = "",
) -> TreatmentJudgement:
    """Propose how a modification is accounted for, for some obligations; nothing is computed by it yet.

    `treatment` 'derived' returns them to what the rules say. Raises InvalidInput, naming the obligation,
    for a combination that 606-10-25-12 and 25-13 do not permit, and without memo and support; Conflict
    when a judgement of the version waits already, or while the order has changes that its contract does
    not know. What recognition raises without an open period or an exchange rate, it raises too.
    """
    with acting(actor, reason=reason or memo[:200]):
        version = _version(version_id)
        contract, record = version.contract, f"{version.contract} {version}"
        require(actor, "revenue.treatment.propose", record=record)
        locks.row(Order, contract.order_id)
        row = TreatmentJudgement(
            version=version,
            treatment=treatment,
            remaining_distinct=remaining_distinct,
            price_support=price_support.strip(),
            memo=memo.strip(),
            support=support.strip(),
            proposed_by_id=actor.on_behalf_of_id or actor.user_id,
        )
        about = _about(row, obligations, record)
        before = _permitted(row, about, record)
        row.amendment_id = int(version.source.removeprefix(AMENDMENT))
        made = contracts.foresee(contract.order_id, judgements.ruling(row, about))
        row.journals = foresight.journals(contract, made)
        _save(row, record)
        JudgedObligation.objects.bulk_create(
            JudgedObligation(judgement=row, obligation=o, treatment_before=before[o.pk]) for o in about
        )
        JudgedMonth.objects.bulk_create(
            JudgedMonth(judgement=row, obligation_id=pk, month=month, before=was, after=now)
            for (pk, month), (was, now) in _months(row, about, made).items()
        )
        return row


def _version(pk: int) -> ContractVersion:
    version = ContractVersion.objects.select_related("contract__order").filter(pk=pk).first()
    if version is None:
        raise NotFound(f"There is no contract version {pk}")
    return version


def _save(row: TreatmentJudgement, record: str) -> None:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise Conflict(
            "Another judgement of this version waits for a decision",
            record=record,
            remedy="Decide or withdraw that one first",
        ) from error


def _about(row: TreatmentJudgement, obligations: Sequence[int], record: str) -> list[Obligation]:
    """The obligations that it is about, once everything that needs no look at them is in order."""
    if row.version.cause not in MODIFICATIONS:
        raise InvalidInput(
            f"The version is no modification, it is '{row.version.get_cause_display().lower()}'",
            record=record,
            remedy="Choose the version of an amendment",
        )
    if not row.memo or not row.support:
        raise InvalidInput("A judgement says why, and what supports it", record=record)
    answer = _answer(row)
    if wrong := contradictions(answer):
        raise InvalidInput(wrong[0].capitalize(), record=record)
    found = list(
        Obligation.objects.filter(contract=row.version.contract_id, pk__in=set(obligations))
        .select_related("order_line")
        .order_by("pk")
    )
    if not found or len(found) != len(set(obligations)):
        raise InvalidInput("Choose obligations of this contract, at least one", record=record)
    return found


def _answer(row: TreatmentJudgement) -> Judgement:
    wanted = None if row.treatment == Kind.DERIVED else Treatment(row.treatment)
    return Judgement(wanted, row.remaining_distinct, bool(row.price_support))


def _permitted(row: TreatmentJudgement, about: Sequence[Obligation], record: str) -> dict[int, str]:
    """How the version treats each obligation now. Raises InvalidInput when one may not be treated so."""
    version = row.version
    told = contracts.load_stored([version.contract.order_id])[version.contract.order_id].told
    at = next(k for k, one in enumerate(told) if one.source == version.source)
    earlier, later = told[at - 1].state.priced, told[at].state.priced
    judged = judgements.standing(version)
    before, wrong = {}, []
    for o in about:
        name, line = f"{o.order_line.position}. {o.description}", o.order_line_id
        if o.basis != Obligation.Basis.FIXED:
            wrong.append(f"{name} has no schedule: it is earned {o.get_basis_display().lower()}")
            continue
        after = later[line]
        before[o.pk] = str(after.treatment)
        found = objections(_answer(row), earlier.get(line), after, version.effective_on)
        if row.treatment == Kind.DERIVED and o.pk not in judged:
            found = ["stands as the rules derive it already"]
        elif after.treatment == row.treatment:
            found = found or [f"is treated as {after.treatment} already"]
        wrong += [f"{name} {objection}" for objection in found]
    if wrong:
        raise InvalidInput("; ".join(wrong), record=record, remedy="Choose another treatment or other lines")
    return before


def _months(row: TreatmentJudgement, about: Sequence[Obligation], made: DraftContract) -> Months:
    """Revenue by obligation and month, before and after, of all obligations that the judgement moves."""
    contract = row.version.contract
    obligations = dict(contract.obligations.values_list("order_line_id", "pk"))
    found: dict[int, dict[dt.date, list[Decimal]]] = {}
    stored = ScheduleSlice.objects.filter(
        version__contract=contract, version__number=contract.version, kind=ScheduleSlice.Kind.REVENUE
    )
    for pk, month, amount in stored.values_list("obligation_id", "month", "amount"):
        found.setdefault(pk, {}).setdefault(month, [ZERO, ZERO])[0] = amount
    for line, plan in made.versions[-1].plans.items():
        for part in plan:
            found.setdefault(obligations[line], {}).setdefault(part.month, [ZERO, ZERO])[1] = part.amount
    chosen = {o.pk for o in about}
    return {
        (pk, month): (was, now)
        for pk, months in sorted(found.items())
        if pk in chosen or any(was != now for was, now in months.values())
        for month, (was, now) in sorted(months.items())
    }


def ask(pk: int, *, actor: Actor, reason: str = "") -> Request:
    """Ask those whom its policy wants to approve a proposed treatment that moves much."""
    return approvals.submit(APPROVE, pk, actor=actor, reason=reason)


def approve(pk: int, *, actor: Actor, reason: str = "") -> TreatmentJudgement:
    """Let a proposed treatment count: the contract gets the version that it makes, at once.

    Raises NotAuthorised for whoever proposed it or drafted the amendment (S38); Conflict when it needs a
    request, and when it would not do what it said when it was proposed, because the contract has changed.
    """
    with acting(actor, reason=reason):
        row: TreatmentJudgement = locks.row(TreatmentJudgement, pk)
        require(actor, APPROVE, record=str(row))
        if actor.user_id in authors_of(act(APPROVE), pk):
            raise NotAuthorised(
                "Who proposed a treatment, or drafted the amendment, does not approve it (S38)",
                record=str(row),
                remedy="Another person decides",
            )
        approvals.gate(APPROVE, [pk])
        about = list(row.obligations.select_related("obligation__order_line"))
        obligations = [one.obligation for one in about]
        made = contracts.foresee(row.version.contract.order_id, judgements.ruling(row, obligations))
        said = {(m.obligation_id, m.month): (m.before, m.after) for m in row.months.all()}
        if _months(row, obligations, made) != said:
            raise Conflict(
                "The contract has changed since: it would not do what was proposed",
                record=str(row),
                remedy="Withdraw it and propose again",
            )
        row.approve()
        row.decided_by_id = actor.user_id
        row.save()
        contracts.write_judged(made)
        return row


def reject(pk: int, *, actor: Actor, reason: str = "") -> TreatmentJudgement:
    """Refuse a proposed treatment: the contract stays as it is. Not by whoever proposed it."""
    with acting(actor, reason=reason):
        row: TreatmentJudgement = locks.row(TreatmentJudgement, pk)
        require(actor, APPROVE, record=str(row))
        if row.proposed_by_id == actor.user_id:
            raise NotAuthorised("Who proposed a treatment withdraws it", record=str(row))
        row.reject()
        row.decided_by_id = actor.user_id
        row.save()
        return row


def withdraw(pk: int, *, actor: Actor, reason: str = "") -> TreatmentJudgement:
    """Take a proposal back; it stays on record."""
    with acting(actor, reason=reason):
        row: TreatmentJudgement = locks.row(TreatmentJudgement, pk)
        require(actor, "revenue.treatment.propose", record=str(row))
        row.withdraw()
        row.save()
        return row
