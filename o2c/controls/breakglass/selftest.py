"""What the self-test does about emergency access that waits for its review: no month of its world is closed
over it. Ended and reviewed by somebody of the world, and taken back with everything else.
"""

from __future__ import annotations

from o2c import clock
from o2c.actor import Actor
from o2c.controls.breakglass import services
from o2c.controls.breakglass.models import Session
from o2c.controls.selftest.world import World

REASON = "Self-test: taken back"


def build(world: World) -> None:
    for session in Session.objects.unreviewed().select_related("user"):
        if session.state == Session.State.OPEN and session.ends_at and session.ends_at > clock.now():
            services.end(session.pk, actor=Actor.of(session.user), reason=REASON)
        services.review(
            session.pk, finding=Session.Finding.JUSTIFIED, actor=world.person("controller"), reason=REASON
        )
