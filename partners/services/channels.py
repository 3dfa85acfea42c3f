"""Channels and their capability sheets."""

from copy import deepcopy
from typing import Any

from o2c.access import require
from o2c.actor import Actor, acting
from o2c.errors import InvalidInput
from partners.domain.capability import AWS_MARKETPLACE, CapabilitySheet
from partners.models import Channel

AWS = "aws"


def ensure(
    code: str,
    name: str,
    *,
    entity_id: int,
    seller_account: str,
    capability: dict[str, Any],
    actor: Actor,
    reason: str = "",
) -> Channel:
    """Set up a channel, or bring its sheet up to date. Raises InvalidInput for a sheet that is not whole."""
    with acting(actor, reason=reason or f"capability sheet of {name}"):
        channel = Channel.objects.select_for_update().filter(code=code).first()
        require(actor, "partners.channel.maintain", record=name)
        try:
            CapabilitySheet.parse(capability)
        except ValueError as problem:
            raise InvalidInput(str(problem), record=name, remedy="Complete the capability sheet") from problem
        if channel is None:
            return Channel.objects.create(
                code=code,
                name=name,
                entity_id=entity_id,
                seller_account=seller_account,
                capability=capability,
            )
        if channel.capability != capability or channel.name != name:
            channel.capability, channel.name = capability, name
            channel.save(update_fields=["capability", "name"])
        return channel


def ensure_aws(*, entity_id: int, seller_account: str, actor: Actor, reason: str = "") -> Channel:
    """AWS Marketplace with the sheet that ships; `entity_id` owns the seller account."""
    return ensure(
        AWS,
        AWS_MARKETPLACE["name"],
        entity_id=entity_id,
        seller_account=seller_account,
        # A copy: the sheet of this installation may be changed, the one that ships may not.
        capability=deepcopy(AWS_MARKETPLACE),
        actor=actor,
        reason=reason,
    )
