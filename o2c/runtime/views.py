"""Health and metrics over HTTP."""

from __future__ import annotations

from dataclasses import asdict

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from o2c.runtime import health, metrics


@never_cache
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """The process answers. Asks nobody else: a lost database is no reason to restart it."""
    return HttpResponse("o2c alive\n", content_type="text/plain")


@never_cache
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """Send requests here? Database reachable and migrated. Says which check fails, and nothing more."""
    found = health.findings(health.READY)
    failing = [finding.name for finding in found if not finding.well]
    return JsonResponse({"ready": not failing, "failing": failing}, status=503 if failing else 200)


@never_cache
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """All checks with details: a page for people signed in, JSON for monitors with the metrics token."""
    signed_in = request.user.is_authenticated and request.user.is_staff
    if not signed_in and not metrics.allowed(request):
        return ready(request)
    found = health.findings()
    well = all(finding.well for finding in found)
    status = 200 if well else 503
    if signed_in and request.accepts("text/html"):
        return render(request, "runtime/health.html", {"findings": found, "well": well}, status=status)
    return JsonResponse({"well": well, "checks": [asdict(finding) for finding in found]}, status=status)


@never_cache
@require_safe
def figures(request: HttpRequest) -> HttpResponseBase:
    """Prometheus metrics."""
    if not metrics.allowed(request):
        return HttpResponse(
            "Send the metrics token as a bearer token.\n", status=403, content_type="text/plain"
        )
    return HttpResponse(metrics.page(), content_type="text/plain; version=0.0.4; charset=utf-8")
