"""Judgements about modifications: what a person may decide, and the versions computed again under it.

Whether the service that remains is distinct, and whether an addition is priced at its stand-alone price, are
judgements (606-10-25-10 to 25-13). A judgement is a fact about one version and some of its lines; the states
of that version and of those after it follow from the promises and the judgements, and from nothing else.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from revenue.domain.schedules import units
from revenue.domain.types import Treatment
from revenue.domain.versions import Judged, Priced, State, adjusted, is_separate, modified

ALWAYS = dt.date.max


@dataclass(frozen=True, slots=True)
class Told:
    """One stored version as it was told: its event, its state, and whether a credit made it."""

    source: str
    state: State
    adjusts: bool = False


@dataclass(frozen=True, slots=True)
class Ruling:
    """An approved judgement of the event `source`: how lines of the version of the event `of` are treated.

    None: as the rules say.
    """

    source: str
    of: str
    lines: Mapping[int, Treatment | None]


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answers of a person about one modification of some lines.

    treatment           what is proposed; None: what the rules say
    remaining_distinct  whether the service that remains is distinct from what was given
    price_is_standalone whether the memo says why an addition is at its stand-alone price although the rule
                        does not find so (606-10-25-12(b))
    """

    treatment: Treatment | None
    remaining_distinct: bool | None
    price_is_standalone: bool = False


def contradictions(judgement: Judgement) -> list[str]:
    """What does not fit together whatever the lines are; empty when it does."""
    wanted = judgement.treatment
    if wanted is None:
        return []
    if judgement.remaining_distinct is None:
        return ["say whether the service that remains is distinct"]
    if wanted is Treatment.CUMULATIVE and judgement.remaining_distinct:
        return ["a cumulative catch-up is for service that is not distinct (606-10-25-13(b))"]
    if wanted is not Treatment.CUMULATIVE and not judgement.remaining_distinct:
        return ["service that is not distinct takes a cumulative catch-up (606-10-25-13(b))"]
    return []


def objections(
    judgement: Judgement, before: Priced | None, after: Priced, effective_on: dt.date
) -> list[str]:
    """Why one line of the version may not be treated so; empty when it may."""
    if before is None or after.treatment is Treatment.INITIAL:
        return ["is new with this version: there is nothing before it to modify"]
    if before.promise == after.promise and after.treatment is Treatment.NONE:
        return ["is not changed by this version"]
    if judgement.treatment is Treatment.SEPARATE:
        return _not_separate(judgement, before, after, effective_on)
    if judgement.treatment is Treatment.CUMULATIVE and not units(before.promise.bands, effective_on):
        return [f"had not begun by {effective_on}: nothing of it is satisfied that could be caught up"]
    return []


def _not_separate(judgement: Judgement, before: Priced, after: Priced, effective_on: dt.date) -> list[str]:
    old, new = before.promise, after.promise
    added = units(new.bands, ALWAYS) - units(old.bands, ALWAYS)
    if added <= 0 or new.stated <= old.stated:
        return ["adds no goods for a price: a separate contract is for goods that are added (606-10-25-12)"]
    if units(new.bands, effective_on) != units(old.bands, effective_on):
        return [f"changes service before {effective_on}: what was promised before may not move"]
    if not is_separate(before, new) and not judgement.price_is_standalone:
        return [
            f"adds {new.stated - old.stated} for goods that sell for {new.ssp - old.ssp} by themselves:"
            " say why that is their stand-alone price in this contract (606-10-25-12(b))"
        ]
    return []


def replay(told: Sequence[Told], judged: Mapping[str, Judged], currency: str, *, since: str) -> list[Told]:
    """The versions from that of the event `since` on again, under `judged` (by event of the version).

    Those before it stay as they were told.
    """
    first = next(k for k, one in enumerate(told) if one.source == since)
    found = list(told[:first])
    for one in told[first:]:
        history, effective_on = [known.state for known in found], one.state.effective_on
        if one.adjusts:
            state = adjusted(history, effective_on)
        else:
            promises = [p.promise for p in one.state.priced.values()]
            state = modified(history, effective_on, promises, currency, judged.get(one.source, {}))
        found.append(Told(one.source, state, one.adjusts))
    return found
