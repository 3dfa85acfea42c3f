"""What the database holds about billing's acts under approval: no controlled state without the decisions."""

from billing.policies import ACTS
from o2c.controls.approvals.sql import act_triggers

TRIGGERS = [trigger for act in ACTS for trigger in act_triggers(act)]
