"""The gate of a controlled act: passes what its policy asks nobody about, and what is being carried out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from o2c.controls.approvals import registry
from o2c.controls.approvals.domain import policy as rules
from o2c.controls.approvals.selectors.facts import facts_of, policy_in_force
from o2c.errors import Conflict

# The act that an approved request (or its rehearsal) is doing now. It opens no door: the trigger of the
# table asks for the decisions at commit, whoever set this.
_carrying: ContextVar[str] = ContextVar("o2c_approved_act", default="")


@contextmanager
def carrying(act: str) -> Iterator[None]:
    """The service called inside is the one that the request names."""
    token = _carrying.set(act)
    try:
        yield
    finally:
        _carrying.reset(token)


def gate(code: str, pks: Iterable[int]) -> None:
    """Refuse these rows unless their policy asks nobody, or an approved request is doing it.

    To be called by the service of the act when the rows have their values. Two queries, however many rows.
    Raises Conflict (approval_required) that says which steps are needed, and Conflict or InvalidInput when
    there is no policy or it cannot be evaluated: nothing passes then.
    """
    if _carrying.get() == code:
        return
    act = registry.act(code)
    _, policy = policy_in_force(act)
    needed = {pk: rules.asked(policy, facts.values) for pk, facts in facts_of(act, pks).items()}
    waiting = {pk: steps for pk, steps in needed.items() if steps}
    if waiting:
        first, steps = next(iter(waiting.items()))
        more = f" (and {len(waiting) - 1} more)" if len(waiting) > 1 else ""
        raise Conflict(
            f"{act.label}: needs approval by {_names(steps)}{more}",
            record=_label(act, first),
            remedy="Ask for approval on its page",
            code="approval_required",
        )


def _names(steps: Sequence[rules.Asked]) -> str:
    return " and ".join(f"{asked.step.title} ({'; '.join(asked.because)})" for asked in steps)


def _label(act: registry.Act, pk: int) -> str:
    from o2c.controls.approvals.selectors.facts import subject_model

    model = subject_model(act)
    row = model._default_manager.filter(pk=pk).first() if model._meta.db_table == act.table else None
    return str(row) if row is not None else act.label


def needs_approval(code: str, pks: Iterable[int]) -> dict[int, list[rules.Asked]]:
    """Of these rows those whose policy asks somebody, with the steps."""
    act = registry.act(code)
    _, policy = policy_in_force(act)
    needed = {pk: rules.asked(policy, facts.values) for pk, facts in facts_of(act, pks).items()}
    return {pk: steps for pk, steps in needed.items() if steps}
