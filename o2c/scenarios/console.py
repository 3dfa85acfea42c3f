"""Where the console leads to scenarios: the sidebar, home of the deal desk, the page of an order."""

from __future__ import annotations

from django.urls import reverse

from o2c.console.registry import Page, QuickLink, RecordLink, register
from o2c.scenarios.duties import PREVIEW


def _preview_of(order: object) -> str:
    return f"{reverse('scenarios')}?order={order}"


register(
    Page(
        "scenarios.preview", "Deal preview", "Orders", "scenarios", icon="insights", duty=PREVIEW, position=35
    ),
    QuickLink(
        "scenarios.preview", "Preview a deal", "scenarios", roles=["deal_desk"], icon="insights", position=30
    ),
    RecordLink(
        "scenarios.order", "orders.order", "As a scenario", _preview_of, duty=PREVIEW, icon="insights"
    ),
)
