"""The fingerprint of every control: what an auditor compares between two dates instead of testing anew.

An automated control that was tested once holds for as long as its code and its configuration stay as they
were ("benchmarking"): so the code of the guards, the policies in force and the queries that perform controls
anew have a hash each, and the guards the dates on which they changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from o2c.audit import fingerprints
from o2c.audit.models import GuardRecord
from o2c.controls.approvals.models import Policy
from o2c.evidence.registry import controls

SHORT = 12
NAMED = 6


def lines() -> Iterator[str]:
    """As people read it: guards with their changes, the oldest first; policies in force; controls."""
    records = list(GuardRecord.objects.order_by("id"))
    if not records:
        yield "No guards were recorded yet: run manage.py migrate"
        return
    yield f"Guards {records[-1].digest} ({records[-1].guards:,} as {records[-1]} recorded them)"
    known: dict[str, str] = {}
    for record in records:
        if record.changed:
            yield f"  {record.recorded_at:%Y-%m-%d %H:%M} UTC  {_changes(record.changed, known)}"
            known |= record.changed
    yield "Policies in force"
    for policy in Policy.objects.filter(state=Policy.State.ACTIVE).order_by("act", "version"):
        text = json.dumps(policy.content, sort_keys=True, separators=(",", ":"), default=str)
        begun = policy.activated_at
        since = f"{begun:%Y-%m-%d}" if begun else "installation"
        yield f"  {_short(text)}  {policy.act} version {policy.version}, since {since}"
    yield "Controls"
    for control in controls():
        yield f"  {_short(control.population + control.exceptions)}  {control.code} {control.title}"


def _changes(changed: dict[str, str], before: dict[str, str]) -> str:
    kinds = fingerprints.kinds(changed, before)
    return "; ".join(f"{len(names):,} {kind}{_named(names)}" for kind, names in kinds.items() if names)


def _named(names: list[str]) -> str:
    return f": {', '.join(sorted(names))}" if len(names) <= NAMED else ""


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:SHORT]
