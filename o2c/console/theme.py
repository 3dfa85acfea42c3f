"""Unfold's settings: names, colours, sidebar, command palette. Imported by o2c/settings.py as UNFOLD."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static


def _file(path: str) -> Any:
    def address(request: HttpRequest) -> str:
        return static(path)

    return address


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "o2c",
    "SITE_HEADER": "o2c",
    "SITE_SUBHEADER": "Order to cash",
    "SITE_SYMBOL": "account_balance_wallet",
    "SITE_URL": None,
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": False,
    "BORDER_RADIUS": "6px",
    "STYLES": [_file("console/console.css")],
    "SCRIPTS": [_file("console/console.js")],
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _file("console/icon.svg")}],
    "COMMAND": {"search_models": False, "show_history": False},
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "show_all_applications": False,
        "navigation": "o2c.console.navigation.sidebar",
    },
    "COLORS": {
        "base": {
            "50": "#f8fafb",
            "100": "#f0f3f5",
            "200": "#e0e5e9",
            "300": "#c9d1d8",
            "400": "#8e9aa6",
            "500": "#64707d",
            "600": "#4a5561",
            "700": "#384350",
            "800": "#232c37",
            "900": "#161d26",
            "950": "#0d131a",
        },
        "primary": {
            "50": "#effaf8",
            "100": "#d8f2ed",
            "200": "#b4e4dc",
            "300": "#82cfc3",
            "400": "#4cb3a5",
            "500": "#2b978a",
            "600": "#17796f",
            "700": "#14615a",
            "800": "#134e49",
            "900": "#12413d",
            "950": "#052523",
        },
        "font": {
            "subtle-light": "var(--color-base-500)",
            "subtle-dark": "var(--color-base-400)",
            "default-light": "var(--color-base-700)",
            "default-dark": "var(--color-base-300)",
            "important-light": "var(--color-base-900)",
            "important-dark": "var(--color-base-100)",
        },
    },
}
