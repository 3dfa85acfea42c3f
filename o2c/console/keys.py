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
    """A link to the record that a key names. No query: the page itself says if there is none.

    The record's name without a link where the page is not for whoever looks, and for a type of which not
    everybody sees every row: to know about one row would take a query.

    Keys may carry more after the id ('billing.invoice:12:void'); a key that names no model of the console is
    shown as text. 'order_line:5' is read as a model of any app of that name, spelled with or without
    underscores.
    """
    if not key:
        return fmt.DASH
    label, _, rest = key.partition(":")
    ident, _, more = rest.partition(":")
    model = _model(label) if ident.isdigit() else None
    page = admin.site._registry.get(model) if model else None
    if not model or page is None:
        return format_html("{}", key)
    text = " ".join(filter(None, (capfirst(str(model._meta.verbose_name)), ident, more.replace(":", " "))))
    href = "" if getattr(page, "narrowed", False) else fmt.model_url(model, ident)
    return format_html('<a href="{}">{}</a>', href, text) if href else format_html("{}", text)


def _model(label: str) -> type[Model] | None:
    app_label, _, name = label.rpartition(".")
    wanted = name.replace("_", "").lower()
    for model in apps.get_models():
        if model._meta.model_name == wanted and app_label in ("", model._meta.app_label):
            return model
    return None
