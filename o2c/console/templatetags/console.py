"""What the console's templates need: addresses, buttons, formatted values. No logic of the business."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.template.context import RequestContext
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from o2c.console import format as fmt
from o2c.console.acts import Act, ListAct
from o2c.console.registry import StripAmount, TimelineEntry
from o2c.console.timeline import KINDS

register = template.Library()


@register.filter
def moment(value: datetime | None) -> SafeString:
    return fmt.moment(value)


@register.filter
def as_label(name: Any) -> str:
    return fmt.label(str(name))


@register.filter
def link(obj: Any) -> SafeString:
    return fmt.link(obj)


@register.filter
def whole(obj: Any) -> SafeString:
    return fmt.whole(str(obj))


@register.filter
def admin_url(obj: Any) -> str:
    return fmt.admin_url(obj)


@register.filter
def strip_amount(entry: StripAmount) -> SafeString:
    return fmt.money(entry.amount, entry.currency, href=entry.href)


@register.filter
def entry_icon(entry: TimelineEntry) -> str:
    return KINDS.get(entry.kind, ("", "circle"))[1]


@register.simple_tag(takes_context=True)
def breadcrumbs(context: RequestContext) -> list[tuple[str, str]]:
    """Area, list, record, page: (text, address). The last one is where we are."""
    admin = context.get("record_admin") or getattr(context.get("cl"), "model_admin", None)
    admin = admin or getattr(context.get("adminform"), "model_admin", None)
    title = str(context.get("title") or "")
    if admin is None or not hasattr(admin, "area"):
        return [(title, "")]
    record = context.get("record") or context.get("original")
    crumbs = [(admin.area, ""), (admin.list_title, fmt.list_url(admin.model))]
    if record is not None and not isinstance(record, str):
        crumbs.append((str(record), fmt.admin_url(record)))
        page = title.removesuffix(f": {record}")
        if page not in (str(record), ""):
            crumbs.append((page, ""))
    elif title and title != admin.list_title:
        crumbs.append((title, ""))
    return [crumb for crumb in crumbs if crumb[0]]


@register.simple_tag
def object_url(obj: Any, page: str) -> str:
    """Address of a page about a record: history, timeline, as_of, delete."""
    opts = obj._meta
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_{page}", args=(obj.pk,))


@register.simple_tag
def model_url(opts: Any, page: str) -> str:
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_{page}")


@register.simple_tag(takes_context=True)
def with_page(context: RequestContext, number: int) -> str:
    """The present address with another page number."""
    query = context["request"].GET.copy()
    query["p"] = str(number)
    return f"?{query.urlencode()}"


def _button(
    act: Act | ListAct, href: str, reasons: Any, ident: str, look: str = "o-btn-primary"
) -> SafeString:
    """A link that opens the dialog; when it can't be done, a button that says why not,
    also to the keyboard.
    """
    icon = (
        format_html('<span class="material-symbols-outlined" aria-hidden="true">{}</span>', act.icon)
        if act.icon
        else ""
    )
    key = getattr(act, "key", "") if not look.endswith("o-btn-small") else ""
    if not reasons:
        if getattr(act, "danger", False):
            look = look.replace("o-btn-primary", "") + " o-btn-danger-soft"
        return format_html(
            '<a class="o-btn {}" href="{}" hx-get="{}" hx-target="#o-dialog" hx-swap="innerHTML"{}>'
            "{}{}{}</a>",
            look,
            href,
            href,
            format_html(' data-o-key="{0}" aria-keyshortcuts="{0}"', key) if key else "",
            icon,
            act.label,
            format_html(" <kbd>{}</kbd>", key) if key else "",
        )
    why = format_html_join("", "<li>{}</li>", ((reason,) for reason in reasons))
    return format_html(
        '<div class="o-why-not"><button type="button" class="o-btn o-btn-off {}" aria-disabled="true" '
        'popovertarget="{}" aria-describedby="{}">{}{}'
        '<span class="material-symbols-outlined o-lock" aria-hidden="true">lock</span></button>'
        '<div popover id="{}" class="o-popover" role="tooltip"><b>Not now:</b><ul>{}</ul>{}</div></div>',
        look.replace("o-btn-primary", ""),
        ident,
        ident,
        icon,
        act.label,
        ident,
        why,
        _look(act, href),
    )


def _look(act: Act | ListAct, href: str) -> SafeString | str:
    """A link to the dialog of an act that is off, where its preview says something anyway."""
    text = getattr(act, "look", "")
    template = '<a href="{}" hx-get="{}" hx-target="#o-dialog" hx-swap="innerHTML">{}</a>'
    return format_html(template, href, href, text) if text else ""


@register.simple_tag
def act_button(obj: Any, button: Any, queue: str = "", first: bool = False) -> SafeString:
    opts = obj._meta
    href = reverse(f"admin:{opts.app_label}_{opts.model_name}_act", args=(obj.pk, button.act.name))
    address = f"{href}?queue={queue}" if queue else href
    look = "o-btn-primary" if first and button.prominent else ""
    return _button(button.act, address, button.reasons, f"why-not-{button.act.name}", look)


@register.simple_tag
def list_act_button(opts: Any, act: ListAct, reasons: Any) -> SafeString:
    href = reverse(f"admin:{opts.app_label}_{opts.model_name}_list_act", args=(act.name,))
    return _button(act, href, reasons, f"why-not-{act.name}")


@register.simple_tag
def queue_act_button(row: Any, act: Act, queue: str) -> SafeString:
    opts = row.obj._meta
    href = reverse(f"admin:{opts.app_label}_{opts.model_name}_act", args=(row.obj.pk, act.name))
    return _button(act, f"{href}?queue={queue}", row.reasons, f"why-not-{row.obj.pk}", "o-btn-small")
