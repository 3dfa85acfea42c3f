"""The triggers of the engine's own tables, and of the acts that the kernel itself puts under approval."""

from o2c.controls.approvals.policies import ACTS
from o2c.controls.approvals.sql import act_triggers, kernel_triggers

TRIGGERS = [*kernel_triggers(), *(trigger for act in ACTS for trigger in act_triggers(act))]
