"""The duties the product knows, and which shipped role has which: gathered from every app's `duties.py`.

An app declares

    DUTIES = {"orders.order.submit": "Submit an order for signature", …}
    ROLE_DUTIES = {"order_management": ["orders.order.submit", …], …}

A duty code is `<app>.<noun>.<act>`. Beside these, every app of ours that has models has one reading duty,
`<app>.read`, which is made here: it opens the app's pages and the reading calls of its API.
"""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec

from django.apps import AppConfig, apps

from o2c.errors import InvalidInput

DUTY_CODE = re.compile(r"^[a-z][a-z_]*(\.[a-z][a-z_]*){1,2}$")

_duties: dict[str, str] = {}
_role_duties: dict[str, set[str]] = {}


def is_ours(config: AppConfig) -> bool:
    """True for the kernel's apps and the business apps, False for libraries."""
    return config.name.startswith("o2c.") or config.label in {"orders", "billing", "revenue", "partners"}


def is_last(config: AppConfig) -> bool:
    """Whether it is the last of our apps that post_migrate announces: those that have models."""
    ours = [other for other in apps.get_app_configs() if is_ours(other) and other.models_module]
    return config.label == ours[-1].label


def autodiscover() -> None:
    """Read `duties.py` of every installed app of ours. Called once, when Django is ready."""
    for config in apps.get_app_configs():
        if not is_ours(config):
            continue
        if any(True for _ in config.get_models()):
            _duties.setdefault(reading(config.label), f"See {config.verbose_name.lower()}")
        name = f"{config.name}.duties"
        if find_spec(name) is None:
            continue
        module = import_module(name)
        declare(module.DUTIES, getattr(module, "ROLE_DUTIES", {}))


def declare(duties: dict[str, str], role_duties: dict[str, list[str]]) -> None:
    """Add declarations. A malformed code, or one code with two meanings, is a mistake in the program."""
    for code, description in duties.items():
        if not DUTY_CODE.match(code):
            raise InvalidInput(f"'{code}' is no duty code", remedy="Write <app>.<noun>.<act> in lower case.")
        if _duties.get(code, description) != description:
            raise InvalidInput(f"Duty '{code}' is declared twice, with different meanings")
        _duties[code] = description
    for role, codes in role_duties.items():
        _role_duties.setdefault(role, set()).update(codes)


def reading(app_label: str) -> str:
    """The duty that lets a person see an app: 'orders' → 'orders.read'."""
    return f"{app_label}.read"


def known() -> dict[str, str]:
    """Every duty: code → what it lets a person do."""
    return dict(sorted(_duties.items()))


def describe(code: str) -> str:
    """What the duty lets a person do; the code itself where nobody declared it."""
    return _duties.get(code, code)


def of_role(role_code: str) -> set[str]:
    """The duties that the apps declared for a shipped role, without its reading duties."""
    return set(_role_duties.get(role_code, set()))


def roles_named() -> set[str]:
    """Role codes that some app names in ROLE_DUTIES."""
    return set(_role_duties)
