"""Access reviews: take the list, decide line by line, sign; what nobody decided in time is revoked."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections import defaultdict
from typing import Any

from django.db.models import Max

from o2c import clock, locks
from o2c.access import require
from o2c.access.authorise import in_force
from o2c.access.models import RoleDuty, RoleGrant, SignIn, TokenUse
from o2c.access.services.accounts import INTERNAL_ACCOUNTS
from o2c.actor import Actor, acting
from o2c.controls.sod import actual
from o2c.controls.sod.declare import declared
from o2c.controls.sod.models import Campaign, ReviewItem, SodException
from o2c.controls.sod.selectors import conflicts
from o2c.errors import Conflict, InvalidInput, NotAuthorised


def open_campaign(name: str, *, days: int, actor: Actor, reason: str = "") -> Campaign:
    """A review of every grant in force, to be decided within `days`; its list is sealed by its SHA-256."""
    with acting(actor, reason=reason):
        require(actor, "sod.review.open", record=name)
        if not 1 <= days <= 90:
            raise InvalidInput("A review takes between one and ninety days", record=name)
        if Campaign.objects.filter(name=name).exists():
            raise Conflict("There is a review of this name already", record=name)
        now = clock.now()
        lines = _lines(now)
        campaign = Campaign.objects.create(
            name=name,
            taken_at=now,
            deadline=now + dt.timedelta(days=days),
            digest=digest(lines),
            opened_by_id=actor.user_id,
        )
        ReviewItem.objects.bulk_create(ReviewItem(campaign=campaign, **line) for line in lines)
    return campaign


def digest(lines: list[dict[str, Any]]) -> str:
    """SHA-256 over the lines in the order of their grants; the same list gives the same digest."""
    body = json.dumps(sorted(lines, key=lambda line: line["grant_id"]), sort_keys=True, default=_plain)
    return hashlib.sha256(body.encode()).hexdigest()


def _plain(value: Any) -> str:
    return value.astimezone(dt.UTC).isoformat() if isinstance(value, dt.datetime) else str(value)


def _lines(now: dt.datetime) -> list[dict[str, Any]]:
    grants = list(
        RoleGrant.objects.filter(in_force(), user__is_active=True)
        # The product's own accounts take no token and answer to nobody: silence must not stop the product.
        .exclude(user__username__in=INTERNAL_ACCOUNTS)
        .select_related("user", "role", "granted_by")
        .order_by("pk")
    )
    duties: dict[int, list[str]] = defaultdict(list)
    for role_id, duty in RoleDuty.objects.order_by("duty").values_list("role_id", "duty"):
        duties[role_id].append(duty)
    people = {grant.user_id for grant in grants}
    seen: dict[int, dt.datetime] = dict(
        SignIn.objects.filter(outcome="signed_in", user__in=people).values_list("user").annotate(at=Max("at"))
    )
    for account, at in TokenUse.objects.values_list("token__account").annotate(at=Max("last_used_at")):
        seen[account] = at
    done = actual.last_done(people)
    against: dict[int, set[str]] = defaultdict(set)
    for row in conflicts(people):
        against[row.person].add(row.rule)
    excused: dict[int, set[str]] = defaultdict(set)
    in_time = SodException.objects.filter(state="approved", valid_from__lte=now, valid_to__gt=now)
    for user_id, code in in_time.values_list("user_id", "rule__code"):
        excused[user_id].add(code)
    return [
        {
            "grant_id": grant.pk,
            "user_id": grant.user_id,
            "role": grant.role.code,
            "duties": duties[grant.role_id],
            "granted_by": grant.granted_by.username,
            "granted_at": grant.valid_from,
            "last_done_at": _latest(done, grant.user_id, duties[grant.role_id]),
            "last_used_at": seen.get(grant.user_id),
            "conflicts": sorted(against[grant.user_id]),
            "exceptions": sorted(excused[grant.user_id]),
        }
        for grant in grants
    ]


def _latest(done: dict[tuple[int, str], dt.datetime], user_id: int, duties: list[str]) -> dt.datetime | None:
    """When this person last exercised a function that one of the duties belongs to; None: never."""
    functions = set().union(*(declared().functions_of(duty) for duty in duties)) if duties else set()
    return max((done[user_id, code] for code in functions if (user_id, code) in done), default=None)


def sealed_lines(campaign: Campaign) -> list[dict[str, Any]]:
    """The list as it stands in the database now, in the shape that was sealed."""
    columns = (
        "grant_id", "user_id", "role", "duties", "granted_by", "granted_at", "last_done_at",
        "last_used_at", "conflicts", "exceptions",
    )  # fmt: skip
    return list(campaign.items.order_by("grant_id").values(*columns))


def keep(pk: int, *, actor: Actor, reason: str = "") -> ReviewItem:
    """The person needs this access."""
    with acting(actor, reason=reason):
        item = _own(pk, actor)
        item.keep()
        _decided(item, actor, reason)
    return item


def revoke(pk: int, *, actor: Actor, reason: str = "") -> ReviewItem:
    """The person does not need it: the grant ends now."""
    with acting(actor, reason=reason):
        item = _own(pk, actor)
        item.revoke()
        _decided(item, actor, reason)
        _end(item)
    return item


def _own(pk: int, actor: Actor) -> ReviewItem:
    item: ReviewItem = locks.row(ReviewItem, pk)
    require(actor, "sod.review.decide", record=str(item))
    if actor.user_id in (item.user_id, item.user.owner_id):
        raise NotAuthorised(
            "S52: nobody certifies their own access",
            record=str(item),
            remedy="Ask another reviewer.",
            code="segregation",
        )
    if item.campaign.state != Campaign.State.OPEN:
        raise Conflict("The review is signed off", record=str(item))
    return item


def _decided(item: ReviewItem, actor: Actor, note: str) -> None:
    item.decided_by_id = actor.user_id
    item.decided_at = clock.now()
    item.note = note
    item.save()


def _end(item: ReviewItem) -> None:
    """End the grant now, if it has not ended by itself."""
    now = clock.now()
    grant: RoleGrant = locks.row(RoleGrant, item.grant_id)
    if grant.valid_to is None or grant.valid_to > now:
        grant.valid_to = max(now, grant.valid_from)
        grant.save(update_fields=["valid_to"])


def lapse_due(*, actor: Actor, reason: str = "", campaign_id: int | None = None) -> int:
    """Revoke every grant that an open review past its deadline left undecided; returns how many."""
    with acting(actor, reason=reason):
        require(actor, "sod.review.lapse")
        due = ReviewItem.objects.filter(
            state=ReviewItem.State.PENDING, campaign__state="open", campaign__deadline__lte=clock.now()
        )
        if campaign_id is not None:
            due = due.filter(campaign_id=campaign_id)
        items = locks.rows(ReviewItem, due.values_list("pk", flat=True))
        for item in items:
            item.lapse()
            item.decided_at = clock.now()
            item.save()
            _end(item)
    return len(items)


def sign(pk: int, *, actor: Actor, reason: str = "") -> Campaign:
    """Sign a review off: by somebody who did not open it, every line decided, the list as it was sealed."""
    with acting(actor, reason=reason):
        campaign: Campaign = locks.row(Campaign, pk)
        require(actor, "sod.review.sign", record=str(campaign))
        if actor.user_id == campaign.opened_by_id:
            raise NotAuthorised(
                "S52: whoever opened the review does not sign it", record=str(campaign), code="segregation"
            )
        if campaign.deadline <= clock.now():
            lapse_due(actor=actor, reason="Deadline passed", campaign_id=pk)
        pending = campaign.items.filter(state=ReviewItem.State.PENDING).count()
        if pending:
            raise Conflict(f"{pending} lines are not decided", record=str(campaign))
        if digest(sealed_lines(campaign)) != campaign.digest:
            raise Conflict("The list is not the one that was sealed", record=str(campaign))
        campaign.sign()
        campaign.signed_by_id = actor.user_id
        campaign.signed_at = clock.now()
        campaign.save()
    return campaign
