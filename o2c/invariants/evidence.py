"""Controls over the nightly checks of what always holds."""

from __future__ import annotations

from o2c.evidence.nightly import nightly

CONTROLS = [
    nightly(
        code="C-09b",
        title="What always holds is checked every night, and what was found is mended",
        risk="Sub-ledgers and ledger drift apart between two closes",
        enforced_by="task o2c.invariants.nightly, health page",
        model="invariants.InvariantRun",
        table="invariants_invariantrun",
        ran="true",
        bad="x.failing > 0",
    ),
]
