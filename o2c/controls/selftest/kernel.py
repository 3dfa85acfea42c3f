"""The ways of the kernel's own apps, which know nothing of the self-test: what is tried, what is idle."""

from __future__ import annotations

from o2c.controls.selftest.ways import command
from o2c.controls.selftest.world import World

_READS = "reads only"
_OWNER = "does nothing without the rights of the tables' owner"
_MACHINE = "starts and stops processes; writes no record"
_STAND_IN = "a stand-in for another system, for tests and the demonstration; writes no record of ours"
_SEALS = "seals what history holds already, in the product's own name; changes no record"
_KEEPS = "deletes what is long over and is no record: jobs, heartbeats, answers kept for repeated calls"

IDLE = {
    "command audit anchor": _SEALS,
    "command audit controls": _READS,
    "command audit epoch": _OWNER,
    "command audit key": "writes a key file; knows no record",
    "command audit pack": _READS,
    "command audit reconcile": _READS,
    "command audit reperform": _READS,
    "command audit seal": _SEALS,
    "command audit show": _READS,
    "command audit verify": _READS,
    "command db_roles": _OWNER,
    "command demo build": "works through the services, by the people that it makes; refused in production",
    "command demo logins": "prints sign-ins of the demonstration; refused in production",
    "command demo summary": _READS,
    "command fake_aws": _STAND_IN,
    "command invariants list": _READS,
    "command provisioning_standin": _STAND_IN,
    "command scenario export": _READS,
    "command scenario preview": "works through the services, and takes all of it back",
    "command scenario run": "works through the services, and takes all of it back",
    "command controls fingerprint": "reads",
    "command services clean": _MACHINE,
    "command services database": _MACHINE,
    "command services start": _MACHINE,
    "command services status": _READS,
    "command services stop": _MACHINE,
    "command vault key": "prints a new key; knows no record",
    "command vault rotate": _OWNER,
    "task o2c.api.forget": _KEEPS,
    "task o2c.audit.anchor": _SEALS,
    "task o2c.audit.seal": _SEALS,
    "task o2c.invariants.nightly": "reads, and keeps what it found",
    "task o2c.outbox.drain": "hands events to consumers, which act in the product's own name",
    "task o2c.runtime.forget": _KEEPS,
    "task o2c.runtime.run_job": "runs a job in the name of whoever asked: each kind of job is tried",
    "task o2c.runtime.sweep": "sends the jobs again that lost their message: each kind of job is tried",
    "task o2c.selftest.nightly": "tries all of this, and keeps what it found",
}


def build(world: World) -> None:
    world.ways += [
        command("controls selftest", "selftest.run.start", "--rule", "none", by="--as"),
        command("invariants run", "invariants.run.start", by="--keep-as"),
    ]
