"""The sealer's clock."""

from __future__ import annotations

from o2c.access.system import system_actor
from o2c.audit.services import anchoring, sealing
from o2c.celery import app
from o2c.runtime.health import SEALER
from o2c.runtime.signals_of_life import beat


@app.task(name="o2c.audit.seal")
def seal() -> int:
    """Seal what is over; returns the number of leaves."""
    blocks = sealing.seal(actor=system_actor())
    beat(SEALER, blocks=len(blocks))
    return sum(block.count for block in blocks)


@app.task(name="o2c.audit.anchor")
def anchor() -> int | None:
    """Sign the head and put it away; returns the number of the block, None when it is anchored already."""
    made = anchoring.anchor(actor=system_actor())
    return None if made is None else int(made.block_id)
