"""The least that a view can do with a batch of events: read the JSON, COPY the rows, answer."""

from __future__ import annotations

import json
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.bare_settings")

from django.core.wsgi import get_wsgi_application
from django.db import connection, transaction
from django.http import HttpRequest, JsonResponse
from django.urls import path

COPY = "COPY bare_usage (event_id, customer, meter, occurred_at, quantity, model, kind) FROM STDIN"


def copy_batch(request: HttpRequest) -> JsonResponse:
    events = json.loads(request.body)["events"]
    with transaction.atomic(), connection.cursor() as cursor, cursor.copy(COPY) as copy:
        for e in events:
            d = e["dimensions"]
            copy.write_row(
                (e["id"], e["customer"], e["meter"], e["time"], e["quantity"], d["model"], d["kind"])
            )
    return JsonResponse({"received": len(events)})


urlpatterns = [path("events", copy_batch)]
application = get_wsgi_application()
