"""Policies, requests and their rounds, decisions, delegations, the calendar."""

from o2c.controls.approvals.models.delegation import Delegation, Holiday
from o2c.controls.approvals.models.policy import Policy
from o2c.controls.approvals.models.request import Decision, Request, Round, Step

__all__ = ["Decision", "Delegation", "Holiday", "Policy", "Request", "Round", "Step"]
