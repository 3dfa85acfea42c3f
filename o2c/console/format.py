"""How values look: money, numbers, dates, states, links. One place, so that every page says them the same
way.

All functions return escaped HTML (SafeString). Money is right-aligned by the class of its cell, in tabular
figures,
with its currency; a negative amount has a minus sign (U+2212), not only a colour. Dates are ISO 8601.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from o2c import money as o2c_money
from o2c import vault
from o2c.console.permissions import may_open

MINUS = "\u2212"
NONE = "\u2013"  # how nothing looks in text
DASH = mark_safe(f'<span class="o-none" aria-label="none">{NONE}</span>')  # noqa: S308

LONGEST_WORD = 28

# Never shown, compared or exported, whatever an admin declares.
SECRET_FIELDS = frozenset({"password", "digest"})

# Tone of a state's badge by the words that states are made of; what isn't named here is neutral.
_TONES = {
    "good": """active posted closed paid approved accepted delivered applied done succeeded provisioned
        completed settled ok matched sent resolved released reconciled healthy pass""",
    "info": "open queued planned running posting provisioning calculated in_progress signed",
    "warn": """submitted pending waiting partial disputed expiring closing parked held due retrying unapplied
        suspended""",
    "bad": """failed rejected void overdue cancelled expired error dead revoked broken written_off duplicate
        stuck fail""",
}
_TONE_OF = {word: tone for tone, words in _TONES.items() for word in words.split()}


def plain_money(amount: Decimal | None, currency: str) -> str:
    """'1,234.50' with the minor units of the currency;
    more digits only where the amount has them (a unit price).
    """
    if amount is None:
        return ""
    digits = _minor_units(currency)
    exact = amount.normalize()
    exponent = exact.as_tuple().exponent
    if isinstance(exponent, int):
        digits = max(digits, -exponent)
    text = f"{abs(amount):,.{digits}f}"
    return MINUS + text if amount < 0 else text


@lru_cache(maxsize=256)
def _minor_units(currency: str) -> int:
    try:
        return o2c_money.minor_units(currency)
    except Exception:
        return 2


def money(
    amount: Decimal | None, currency: str = "", *, href: str = "", why: str = "", bare: bool = False
) -> SafeString:
    """An amount with its currency. `href` opens the record, `why` the explanation of the number.

    `bare` leaves the currency out, but keeps its minor units.
    """
    if amount is None:
        return DASH
    figure = format_html(
        '<span class="o-money{}"><span class="o-figure">{}</span>{}</span>',
        " o-neg" if amount < 0 else "" if amount else " o-nil",
        plain_money(amount, currency),
        format_html(' <span class="o-cur">{}</span>', currency) if currency and not bare else "",
    )
    if href:
        figure = format_html('<a href="{}">{}</a>', href, figure)
    if why:
        figure = format_html(
            '{} <a class="o-why" href="{}" title="Why this number?" aria-label="Why {} {}?">?</a>',
            figure,
            why,
            plain_money(amount, currency),
            currency,
        )
    return figure


def number(value: Decimal | int | None, *, unit: str = "", digits: int | None = None) -> SafeString:
    """A quantity or count, thousands separated, trailing zeros dropped."""
    if value is None:
        return DASH
    return format_html(
        '<span class="o-figure">{}</span>{}',
        plain_number(value, digits=digits),
        format_html(' <span class="o-cur">{}</span>', unit) if unit else "",
    )


def plain_number(value: Decimal | int, *, digits: int | None = None) -> str:
    if digits is not None:
        text = f"{abs(value):,.{digits}f}"
    elif isinstance(value, Decimal):
        text = f"{abs(value):,f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        text = f"{abs(value):,}"
    return MINUS + text if value < 0 else text


def percent(share: Decimal | None, *, digits: int = 1) -> str:
    """share 0.125 -> '12.5 %'. For reading only; nothing is computed from it."""
    return NONE if share is None else f"{plain_number(share * 100, digits=digits)} %"


def day(value: date | None) -> SafeString:
    if value is None:
        return DASH
    return format_html('<time class="o-figure o-nowrap" datetime="{0}">{0}</time>', value.isoformat())


def moment(value: datetime | None) -> SafeString:
    """An instant, in UTC, to the second in the tooltip and to the minute in the text."""
    if value is None:
        return DASH
    utc = value.astimezone(UTC)
    return format_html(
        '<time class="o-figure o-nowrap" datetime="{}" title="{} UTC">{}</time>',
        utc.isoformat(),
        utc.strftime("%Y-%m-%d %H:%M:%S.%f"),
        utc.strftime("%Y-%m-%d %H:%M"),
    )


def plain_age(delta: timedelta) -> str:
    """'3 d', '5 h', '12 min'; the largest unit only."""
    minutes = max(int(delta.total_seconds() // 60), 0)
    if minutes >= 48 * 60:
        return f"{minutes // (24 * 60):,} d"
    if minutes >= 120:
        return f"{minutes // 60} h"
    return f"{minutes} min"


def plain_seconds(seconds: float) -> str:
    """'40 s', '12 min', '3 h'; for what is left of a job."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def age(since: datetime | date | None, now: datetime, sla_hours: int | None = None) -> SafeString:
    """How long something waits, with a bar against the promise when there is one; late in words,
    not only in colour.
    """
    if since is None:
        return DASH
    if not isinstance(since, datetime):
        since = datetime(since.year, since.month, since.day, tzinfo=UTC)
    waited = now - since
    text = plain_age(waited)
    if sla_hours is None:
        return format_html(
            '<span class="o-figure o-nowrap" title="since {}">{}</span>', since.isoformat(), text
        )
    share = min(int(waited.total_seconds() / (sla_hours * 36)), 100)
    late = waited > timedelta(hours=sla_hours)
    return format_html(
        '<span class="o-age{}" title="since {}, promise {} h"><span class="o-figure o-nowrap">{}{}</span>'
        '<progress max="100" value="{}" aria-label="{} % of the promised time"></progress></span>',
        " o-late" if late else "",
        since.isoformat(),
        sla_hours,
        text,
        " late" if late else "",
        share,
        share,
    )


def tone(state: str) -> str:
    """good, info, warn, bad or plain."""
    return _TONE_OF.get(str(state).lower(), "plain")


def badge(state: str, label: str = "") -> SafeString:
    """A state as a badge: the word is always there, the colour only helps."""
    if state in (None, ""):
        return DASH
    return format_html(
        '<span class="o-badge o-{}">{}</span>', tone(state), label or str(state).replace("_", " ")
    )


def state_badge(obj: models.Model, field: str = "state") -> SafeString:
    value = getattr(obj, field)
    display = getattr(obj, f"get_{field}_display", None)
    return badge(value, display() if callable(display) else "")


def chip(text: str, kind: str = "plain") -> SafeString:
    return format_html('<span class="o-chip o-{}">{}</span>', kind, text)


def boolean(value: bool | None) -> SafeString:
    if value is None:
        return DASH
    return format_html(
        '<span class="o-bool o-{}">{}</span>', "good" if value else "plain", "Yes" if value else "No"
    )


def admin_url(obj: models.Model | None) -> str:
    """Address of the object page, '' when its model isn't in the console."""
    if obj is None or obj.pk is None:
        return ""
    return model_url(type(obj), obj.pk)


def model_url(model: type[models.Model], pk: Any) -> str:
    """The same for the record of this key; '' also when whoever looks may not open it."""
    opts = model._meta
    if not may_open(model):
        return ""
    try:
        return reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=(pk,))
    except NoReverseMatch:
        return ""


def list_url(model: type[models.Model], **filters: Any) -> str:
    """Address of a change list, filtered: list_url(Invoice, customer__id__exact=5). '' when whoever looks
    may not open it.
    """
    from urllib.parse import urlencode

    opts = model._meta
    if not may_open(model):
        return ""
    try:
        address = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")
    except NoReverseMatch:
        return ""
    return f"{address}?{urlencode(filters)}" if filters else address


def link(obj: models.Model | None, text: str = "") -> SafeString:
    """The record's name, linked to its page when there is one."""
    if obj is None:
        return DASH
    href = admin_url(obj)
    name = whole(text or str(obj))
    return format_html('<a href="{}">{}</a>', href, name) if href else name


def whole(text: str) -> SafeString:
    """Text that is one word, such as a document's number, is not broken at its hyphens."""
    is_word = " " not in text and len(text) <= LONGEST_WORD
    return format_html('<span class="o-nowrap">{}</span>' if is_word else "{}", text)


def currency_of(obj: models.Model) -> str:
    """The currency of a record: its own, or that of the document, contract or entity that it belongs to."""
    for path in (
        "currency",
        "invoice.currency",
        "order.currency",
        "receipt.currency",
        "line.order.currency",
        "journal.currency",
        "contract.currency",
        "price.currency",
        "entity.currency",
        "customer.currency",
    ):
        value: Any = obj
        for name in path.split("."):
            value = getattr(value, name, None) if _loaded(value, name) else None
            if value is None:
                break
        if isinstance(value, str) and value:
            return value
    return ""


def _loaded(obj: Any, name: str) -> bool:
    """Whether reading this attribute costs no query.

    A list must not load a parent per row only to say a currency.
    """
    if obj is None:
        return False
    try:
        field = obj._meta.get_field(name)
    except FieldDoesNotExist:
        return hasattr(obj, name)
    if field.is_relation:
        return isinstance(field, models.ForeignKey) and field.is_cached(obj)
    return True


_SPELLED = {
    w.lower(): w for w in ("SKU", "PO", "ID", "GL", "AWS", "SSP", "URL", "SHA256", "ISO", "ARN", "FX")
}


def label(name: str) -> str:
    """A field's name as a heading: 'po_number' -> 'PO number'."""
    words = [_SPELLED.get(word.lower(), word) for word in str(name).replace("_", " ").split()]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


_JOINED = re.compile(r"(?<![\w./@:-])[a-z][a-z0-9]*(?:_[a-z0-9]+)+(?![\w./@-])")


def words(text: str) -> str:
    """'bill_next' -> 'bill next': codes of values in words. Whatever else there is stays as it is."""
    return _JOINED.sub(lambda code: code[0].replace("_", " "), text)


def hidden(field: models.Field[Any, Any]) -> bool:
    """Secrets and raw bytes are on no page."""
    return field.name in SECRET_FIELDS or isinstance(field, models.BinaryField)


def value_of(obj: models.Model, field: models.Field[Any, Any]) -> SafeString:
    """A field of a record as a page shows it, by the kind of the field."""
    value = getattr(obj, field.name) if not field.is_relation else _related(obj, field)
    return show(value, field=field, obj=obj)


def _related(obj: models.Model, field: models.Field[Any, Any]) -> Any:
    return None if getattr(obj, field.attname) is None else getattr(obj, field.name)


def show(
    value: Any, *, field: models.Field[Any, Any] | None = None, obj: models.Model | None = None
) -> SafeString:
    """Any value, by its field where known and by its type otherwise."""
    if value is None or value == "":
        return DASH
    if isinstance(value, SafeString):
        return value
    if vault.is_sealed(value):
        return format_html("{}", vault.masked(value))
    if field is not None:
        if field.primary_key or field.name.endswith(("_id", "txid")):
            return format_html("{}", value)
        if field.choices:
            label = dict(field.flatchoices).get(value, value)
            return (
                badge(str(value), str(label))
                if field.name in ("state", "status")
                else format_html("{}", label)
            )
        if isinstance(field, o2c_money.AmountField):
            return money(value, currency_of(obj) if obj is not None else "")
    return _show_by_type(value)


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | bool | Decimal)


def _plainly(value: Any) -> str:
    return vault.masked(value) if vault.is_sealed(value) else words(str(value))


def pairs(values: dict[str, Any]) -> SafeString:
    """A flat JSON object as names and values; what is empty is left out."""
    filled = [(label(name), _plainly(value)) for name, value in values.items() if value not in (None, "")]
    rows = format_html_join("", "<div><dt>{}</dt><dd>{}</dd></div>", filled)
    return format_html('<dl class="o-pairs">{}</dl>', rows) if filled else DASH


def nested(value: Any) -> SafeString:
    """A JSON value as a person reads it: names and values, rows of equal shape as a table, words by comma."""
    if isinstance(value, dict):
        if all(_is_plain(v) for v in value.values()):
            return pairs(value)
        rows = [(label(name), nested(v)) for name, v in value.items()]
        return format_html(
            '<dl class="o-tree">{}</dl>', format_html_join("", "<div><dt>{}</dt><dd>{}</dd></div>", rows)
        )
    if not isinstance(value, list):
        return DASH if value in (None, "") else format_html("{}", _plainly(value))
    if all(_is_plain(v) for v in value):
        return format_html("{}", ", ".join(map(_plainly, value)))
    if all(isinstance(v, dict) for v in value):
        return _rows(value)
    return format_html_join("", '<div class="o-tree">{}</div>', ((nested(v),) for v in value))


def _rows(value: list[dict[str, Any]]) -> SafeString:
    names = list(dict.fromkeys(name for row in value for name in row))
    head = format_html_join("", '<th scope="col">{}</th>', ((label(name),) for name in names))
    body = format_html_join(
        "",
        "<tr>{}</tr>",
        (
            (format_html_join("", "<td>{}</td>", ((nested(row.get(name)),) for name in names)),)
            for row in value
        ),
    )
    return format_html(
        '<div class="o-scroll o-nested" tabindex="0"><table class="o-table"><thead><tr>{}</tr></thead>'
        "<tbody>{}</tbody></table></div>",
        head,
        body,
    )


def _show_by_type(value: Any) -> SafeString:
    if isinstance(value, bool):
        return boolean(value)
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, date):
        return day(value)
    if isinstance(value, Decimal | int):
        return number(value)
    if isinstance(value, models.Model):
        return link(value)
    if isinstance(value, dict | list):
        return nested(value) if value else DASH
    if isinstance(value, o2c_money.Money):
        return money(value.amount, value.currency)
    return format_html("{}", value)
