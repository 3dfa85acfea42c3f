"""Usage allocations of one metering record: shares of the quantity under the buyer's cost tags.

Source: botocore service model, UsageAllocation: 1 to 2,500 allocations, each with at most five tags (key to
100, value to 256 characters); tag sets are unique; the shares add up to the record's quantity. The service
answers a wrong sum with InvalidUsageAllocations, and refuses the whole batch with it: so it is checked here,
before the hour is sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

MAX_ALLOCATIONS = 2_500
MAX_TAGS = 5


@dataclass(frozen=True, slots=True)
class Allocation:
    """A share of the record's quantity under a set of tags. No tags is the untagged rest."""

    quantity: int
    tags: dict[str, str] = field(default_factory=dict)


def problems(quantity: int, allocations: Sequence[Allocation]) -> list[str]:
    """What the service would refuse about these allocations; empty when it would accept them.

    >>> problems(100, [Allocation(60, {"team": "a"}), Allocation(41, {"team": "b"})])
    ['the allocations add up to 101 and the record meters 100']
    """
    if not allocations:
        return []
    found = []
    total = sum(share.quantity for share in allocations)
    if total != quantity:
        found.append(f"the allocations add up to {total} and the record meters {quantity}")
    if len(allocations) > MAX_ALLOCATIONS:
        found.append(f"{len(allocations)} allocations are more than the {MAX_ALLOCATIONS} allowed")
    tag_sets = [frozenset(share.tags.items()) for share in allocations]
    if len(set(tag_sets)) != len(tag_sets):
        found.append("two allocations carry the same set of tags")
    for share in allocations:
        if share.quantity < 0:
            found.append(f"an allocation of {share.quantity} is negative")
        if len(share.tags) > MAX_TAGS:
            found.append(f"an allocation has {len(share.tags)} tags, more than the {MAX_TAGS} allowed")
        found += [
            f"tag {key!r} is outside 1 to 100 characters, or its value outside 1 to 256"
            for key, value in share.tags.items()
            if not (1 <= len(key) <= 100 and 1 <= len(value) <= 256)
        ]
    return found
