"""Messages about requests: a link and why, never a decision."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.urls import reverse

from o2c import outbox
from o2c.access.models import User
from o2c.controls.approvals import registry
from o2c.controls.approvals.models import Request, Step
from o2c.controls.approvals.selectors.escalation import reminded
from o2c.controls.approvals.services.submitting import ASKED
from o2c.controls.approvals.services.timers import ESCALATED, EXPIRED, REMINDED
from o2c.errors import InvalidInput

OPENINGS = {
    ASKED: "waits for your decision",
    REMINDED: "still waits for your decision",
    ESCALATED: "is late; see that somebody decides it",
    EXPIRED: "expired, and that is a no",
}


@outbox.consumer("approvals.mail", *OPENINGS)
def tell(events: Sequence[outbox.Event]) -> None:
    """One message per person and event. What was decided meanwhile is not announced any more."""
    messages = [message for event in events for message in _messages(event)]
    if messages:
        get_connection().send_messages(messages)


@outbox.consumer("approvals.chat", *OPENINGS)
def tell_channel(events: Sequence[outbox.Event]) -> None:
    """One line per event to the channel of O2C_APPROVALS_WEBHOOK_URL, when there is one: what, and a link."""
    for event in events if settings.APPROVALS_WEBHOOK_URL else ():
        request, step = _subject(event)
        if _waits(event, request, step):
            send(
                settings.APPROVALS_WEBHOOK_URL, f"{_title(request)} {OPENINGS[event.type]}: {_link(request)}"
            )


def send(url: str, text: str) -> None:
    """POST {"text": …} as incoming webhooks take it. Raises on any refusal: the outbox tries again."""
    if not url.startswith("https://"):
        raise InvalidInput("O2C_APPROVALS_WEBHOOK_URL is no https address", record=url.partition("?")[0][:40])
    body = json.dumps({"text": text}).encode()
    asked = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(asked, timeout=5):  # noqa: S310
        return


def _subject(event: outbox.Event) -> tuple[Request, Step]:
    request = Request.objects.select_related("policy", "requested_by").get(pk=event.payload["request_id"])
    return request, Step.objects.get(pk=event.payload["step_id"])


def _waits(event: outbox.Event, request: Request, step: Step) -> bool:
    """What was decided meanwhile is not announced any more."""
    return event.type == EXPIRED or (request.state == Request.State.OPEN and step.round == request.round)


def _title(request: Request) -> str:
    return f"{request.number} {request.subject_label}"


def _link(request: Request) -> str:
    return str(settings.PUBLIC_URL) + reverse("admin:approvals_request_change", args=(request.pk,))


def _messages(event: outbox.Event) -> list[EmailMessage]:
    request, step = _subject(event)
    if not _waits(event, request, step):
        return []
    link, title = _link(request), _title(request)
    act = registry.act(request.act).label
    body = (
        f"{title} {OPENINGS[event.type]}.\n\n{act}, asked by {request.requested_by}: {request.reason}\n\n"
        f"{_standing(request, step, event.type)}"
        f"{link}\n\nLook and decide there; an answer to this message decides nothing.\n"
    )
    return [
        EmailMessage(f"{title} {OPENINGS[event.type]}", body, to=[address])
        for address in _addresses(request, step, event.type)
    ]


def _standing(request: Request, step: Step, kind: str) -> str:
    """Where it stands, when that is not simply that it waits."""
    if kind == ESCALATED:
        names = ", ".join(one["name"] for one in step.escalated_to)
        return (
            f"Step '{step.title}' waits since {step.opened_at:%Y-%m-%d %H:%M} UTC. Escalated to {names}.\n\n"
        )
    return f"{request.problem.rstrip('.')}.\n\n" if kind == EXPIRED else ""


def _addresses(request: Request, step: Step, kind: str) -> list[str]:
    if kind == EXPIRED:
        return [request.requested_by.email] if request.requested_by.email else []
    people = {one["user"] for one in step.escalated_to} if kind == ESCALATED else reminded(request, step)
    mails = User.objects.filter(pk__in=people).exclude(email="").order_by("pk")
    return list(mails.values_list("email", flat=True))
