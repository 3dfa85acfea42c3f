"""Settings of the REST framework and of its schema, imported by `o2c/settings.py`."""

from __future__ import annotations

from typing import Any

# An answer to an idempotency key is kept for longer than a business year and its audit.
IDEMPOTENCY_DAYS = 400

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "o2c.api.authentication.TokenAuthentication",
        # A signed-in person may try calls from the Swagger page, with their own duties and a CSRF token.
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["o2c.api.permissions.HoldsDuty"],
    "DEFAULT_THROTTLE_CLASSES": ["o2c.api.throttling.PerPrincipal"],
    "DEFAULT_PARSER_CLASSES": ["o2c.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_FILTER_BACKENDS": ["o2c.api.filters.StrictFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "o2c.api.paging.KeysetPagination",
    "DEFAULT_SCHEMA_CLASS": "o2c.api.schema.Schema",
    "EXCEPTION_HANDLER": "o2c.api.exceptions.handle",
    "COERCE_DECIMAL_TO_STRING": True,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "o2c",
    "VERSION": "1.0.0",
    "DESCRIPTION": (
        "Order to cash: customers, orders, usage, invoices, cash, revenue. Amounts are decimal strings "
        "beside a currency; dates are ISO 8601; periods are half-open. Errors are problem+json (RFC 9457)."
    ),
    "OAS_VERSION": "3.0.3",
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    # Choices stay where they are used: a component per choice set would be named by chance, and Salesforce
    # can't read the alternatives that blank choices make of it.
    "POSTPROCESSING_HOOKS": ["o2c.api.schema.finish"],
}
