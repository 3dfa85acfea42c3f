"""Pages of approvals: requests, policies, delegations, the calendar."""

from o2c.controls.approvals.admin import delegations, policies, requests

__all__ = ["delegations", "policies", "requests"]
