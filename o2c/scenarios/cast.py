"""The people of a scenario: one per part, made in its transaction and gone with it.

Makers and checkers are different people, as the controls want it of everybody.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX

from o2c import clock
from o2c.access.models import Role, RoleGrant, User
from o2c.access.services.accounts import PLACEHOLDER_OWNER
from o2c.access.system import system_actor
from o2c.actor import Actor, acting

REASON = "Scenario"
ROLES: dict[str, tuple[str, ...]] = {
    "catalogue": ("billing_ops",),
    "attribution": ("revenue_policy",),
    "desk": ("deal_desk",),
    "seller": ("order_entry",),
    "activator": ("order_management",),
    "approver": ("approver",),
    "biller": ("billing_ops",),
    "receiver": ("cash_receipts",),
    "cash": ("collections",),
    "credit": ("credit",),
    "accountant": ("revenue_accounting",),
    "controller": ("controller",),
}


@dataclass(frozen=True, slots=True)
class Cast:
    """Who does what in a scenario."""

    catalogue: Actor
    attribution: Actor
    desk: Actor
    seller: Actor
    activator: Actor
    approver: Actor
    biller: Actor
    receiver: Actor
    cash: Actor
    credit: Actor
    accountant: Actor
    controller: Actor
    crm: Actor
    metering: Actor

    @classmethod
    def hire(cls) -> Cast:
        """New people with the shipped roles. Inside a transaction that will be rolled back."""
        tag = secrets.token_hex(4)
        with acting(Actor.installer(), reason=REASON):
            people = User.objects.bulk_create(
                User(
                    username=f"scenario-{tag}-{part}",
                    display_name=f"Scenario: {part}",
                    password=UNUSABLE_PASSWORD_PREFIX,
                )
                for part in ROLES
            )
            roles = {role.code: role for role in Role.objects.filter(shipped=True)}
            owner = User.objects.get(username=PLACEHOLDER_OWNER)
            RoleGrant.objects.bulk_create(
                RoleGrant(
                    user=person, role=roles[code], granted_by=owner, reason=REASON, valid_from=clock.now()
                )
                for person, codes in zip(people, ROLES.values(), strict=True)
                for code in codes
            )
        return cls(
            **{part: Actor.of(person) for part, person in zip(ROLES, people, strict=True)},
            crm=system_actor("salesforce"),
            metering=system_actor("metering"),
        )
