"""Names of records as journals and events write them: 'app.model:id'."""

from __future__ import annotations

from django.apps import apps
from django.contrib import admin
from django.db.models import Model
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from o2c.console import format as fmt


def key_link(key: str) -> SafeString:
    """A link to the record that a key names. No query: the page itself says if there is none. A record type
    of which not everybody sees every row is not linked, because that would take one.

    Keys may carry more after the id ('billing.invoice:12:void'); a key that names no model of the console is
    shown as text. 'order_line:5' is read as a model of any app of that name, spelled with or without
    underscores.
    """
    if not key:
        return fmt.DASH
    label, _, rest = key.partition(":")
    ident, _, more = rest.partition(":")
    model = _model(label) if ident.isdigit() else None
    href = fmt.model_url(model, ident) if model and not _narrowed(model) else ""
    if not model or not href:
        return format_html("{}", key)
    text = " ".join(filter(None, (capfirst(str(model._meta.verbose_name)), ident, more.replace(":", " "))))
    return format_html('<a href="{}">{}</a>', href, text)


def _narrowed(model: type[Model]) -> bool:
    return bool(getattr(admin.site._registry.get(model), "narrowed", False))


def _model(label: str) -> type[Model] | None:
    app_label, _, name = label.rpartition(".")
    wanted = name.replace("_", "").lower()
    for model in apps.get_models():
        if model._meta.model_name == wanted and app_label in ("", model._meta.app_label):
            return model
    return None
