"""The console: the admin site as the product's face.

`RecordAdmin` and its companions are imported on first use, because this package is also a Django app and
its modules
may not touch models before the apps are loaded.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from o2c.console.acts import Act, ListAct
    from o2c.console.panels import Column, Fact, Panel
    from o2c.console.record_admin import RecordAdmin

_HOMES = {
    "Act": "o2c.console.acts",
    "ListAct": "o2c.console.acts",
    "Column": "o2c.console.panels",
    "Fact": "o2c.console.panels",
    "Panel": "o2c.console.panels",
    "RecordAdmin": "o2c.console.record_admin",
}

__all__ = ["Act", "Column", "Fact", "ListAct", "Panel", "RecordAdmin"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'o2c.console' has no attribute {name!r}")
