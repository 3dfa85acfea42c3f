"""Controls over the nightly trial of every control."""

from __future__ import annotations

from o2c.evidence.nightly import nightly

CONTROLS = [
    nightly(
        code="C-17b",
        title="Every control is tried every night, and one that fails is mended",
        risk="A control is off and nobody notices",
        enforced_by="task o2c.selftest.nightly, health page",
        model="selftest.SelftestRun",
        table="selftest_selftestrun",
        ran="x.only = ''",
        bad="x.through > 0 OR x.blocked > 0 OR x.tried = 0",
    ),
]
