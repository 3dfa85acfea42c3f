"""The fulfilment page: AWS Marketplace sends the buyer's browser here with a registration token.

A form post from another site, by somebody who is not signed in: no CSRF token and no session exist. The
token is the proof, AWS is asked about it at once, and nothing of the caller's input is stored but its digest.
"""

import structlog
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from o2c import clock
from o2c.access.system import system_actor
from o2c.errors import DomainError, InvalidInput, NotFound
from partners.aws.connection import connect
from partners.models import Channel
from partners.services import registration
from partners.services.channels import AWS

log = structlog.get_logger(__name__)
TOKEN_FIELD = "x-amzn-marketplace-token"  # noqa: S105
LONGEST_TOKEN = 4096


@csrf_exempt
@require_POST
def register(request: HttpRequest) -> HttpResponse:
    """Welcome the buyer, or say what to do when the token is not accepted."""
    token = request.POST.get(TOKEN_FIELD, "").strip()
    try:
        if not token or len(token) > LONGEST_TOKEN:
            raise InvalidInput(
                "AWS Marketplace sent no registration token",
                remedy="Open the product in AWS Marketplace and choose 'Set up your account'",
            )
        channel = Channel.objects.filter(code=AWS, active=True).first()
        if channel is None:
            raise NotFound(
                "We do not sell through AWS Marketplace at the moment", remedy="Write to our support"
            )
        made = registration.register(
            token, channel=channel, client=connect(), as_of=clock.now(), actor=system_actor("aws")
        )
    except DomainError as problem:
        log.warning("marketplace registration refused", code=problem.code, problem=problem.message)
        return render(request, "partners/registered.html", {"problem": problem}, status=problem.status)
    return render(request, "partners/registered.html", {"registration": made})
