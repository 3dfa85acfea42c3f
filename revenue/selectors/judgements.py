"""Approved judgements about modifications: what they say, and which one counts for an obligation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from revenue.domain.judgements import Ruling
from revenue.domain.types import Treatment
from revenue.models import ContractVersion, JudgedObligation, Obligation, TreatmentJudgement

PREFIX = "revenue.treatmentjudgement:"
Kind = TreatmentJudgement.Treatment


def load(sources: Iterable[str]) -> dict[str, Ruling]:
    """The judgements behind these versions, by source of the version. One query, none without a source."""
    ids = [int(source.removeprefix(PREFIX)) for source in sources]
    if not ids:
        return {}
    rows = JudgedObligation.objects.filter(judgement__in=ids).select_related(
        "judgement__version", "obligation"
    )
    about: dict[TreatmentJudgement, list[Obligation]] = {}
    for row in rows:
        about.setdefault(row.judgement, []).append(row.obligation)
    return {judgement.source: ruling(judgement, found) for judgement, found in about.items()}


def ruling(judgement: TreatmentJudgement, obligations: Sequence[Obligation]) -> Ruling:
    """A judgement as the arithmetic takes it: by order line."""
    wanted = None if judgement.treatment == Kind.DERIVED else Treatment(judgement.treatment)
    return Ruling(
        source=judgement.source,
        of=judgement.version.source,
        lines={o.order_line_id: wanted for o in obligations},
    )


def standing(version: ContractVersion) -> dict[int, TreatmentJudgement]:
    """The approved judgement that counts for each obligation of a version, by obligation: the latest.

    One that returned an obligation to the rules counts for none. One query.
    """
    rows = (
        JudgedObligation.objects.filter(
            judgement__version=version, judgement__state=TreatmentJudgement.State.APPROVED
        )
        .select_related("judgement__decided_by")
        .order_by("judgement_id")
    )
    found: dict[int, TreatmentJudgement] = {}
    for row in rows:
        found.pop(row.obligation_id, None)
        if row.judgement.treatment != Kind.DERIVED:
            found[row.obligation_id] = row.judgement
    return found
