"""Names of records as journals and events write them: 'app.model:id'."""

from __future__ import annotations

from django.apps import apps
from django.utils.html import format_html
from django.utils.safestring import SafeString

from o2c.console import format as fmt


def key_link(key: str) -> SafeString:
    """A link to the record that a key names. No query: the page itself says if there is none.

    Keys may carry more after the id ('billing.invoice:12:void'); a key that names no model of the console is
    shown as text. 'order_line:5' is read as a model of any app of that name, spelled with or without
    underscores.
    """
    if not key:
        return fmt.DASH
    label, _, rest = key.partition(":")
    ident = rest.partition(":")[0]
    href = _href(label, ident) if ident.isdigit() else ""
    return format_html('<a href="{}">{}</a>', href, key) if href else format_html("{}", key)


def _href(label: str, ident: str) -> str:
    app_label, _, name = label.rpartition(".")
    wanted = name.replace("_", "").lower()
    for model in apps.get_models():
        if model._meta.model_name == wanted and app_label in ("", model._meta.app_label):
            return fmt.model_url(model, ident)
    return ""
