"""What the database holds about the acts of this app under approval."""

from o2c.controls.approvals.sql import act_triggers
from o2c.controls.sod.policies import ACTS

TRIGGERS = [trigger for act in ACTS for trigger in act_triggers(act)]
