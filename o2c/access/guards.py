"""What the database holds about the acts of this app under approval."""

from o2c.access.policies import ACTS
from o2c.controls.approvals.sql import act_triggers

TRIGGERS = [trigger for act in ACTS for trigger in act_triggers(act)]
