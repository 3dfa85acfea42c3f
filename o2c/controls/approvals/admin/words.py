"""Facts, reasons and duties of a request in words: what an approver reads, not what programs compare."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from o2c import vault
from o2c.access import registry as access
from o2c.console import Column, Panel
from o2c.console import format as fmt
from o2c.controls.approvals.domain import policy as rules
from o2c.controls.approvals.registry import Act

EMPTY: tuple[Any, ...] = (None, "", [], {})
SCALED = re.compile(r"(?<![\w.,])(-?\d+)\.(\d{3,})(?![\w.])")  # a decimal at the scale of its column
DECIMAL = re.compile(r"(?<![\w.,])(-?\d+)\.(\d+)(?![\w.])")
FIGURE, AMOUNT = re.compile(r"-?\d+(?:\.\d+)?"), re.compile(r"-?\d+\.\d{3}")
ROWS = 500  # of a panel; a quote has some hundred lines at most
LARGE = re.compile(r"(?<![\w.,-])(-?\d{4,})(?![\w.,-])")
OPERATORS = {
    ">": "is above", ">=": "is at least", "<": "is below", "<=": "is at most", "=": "is", "!=": "is not",
    "in": "is one of", "not in": "is none of",
}  # fmt: skip
WORSE = {"up": "it rises", "down": "it falls", "change": "it changes"}


def table(
    title: str, headings: Sequence[str], rows: Sequence[tuple[Any, ...]], empty: str = "Nothing here.",
    note: str = "", numeric: Sequence[str] = (),
) -> Panel:  # fmt: skip
    """A panel of rows that are no records; `numeric` names the headings of columns of figures."""
    columns = [
        Column(itemgetter(n), heading or " ", numeric=heading in numeric or None)
        for n, heading in enumerate(headings)
    ]
    return Panel(title, rows, columns, empty=empty, link_rows=False, limit=ROWS, note=note)


def tabular(value: Any) -> bool:
    """Whether a fact is rows of values, such as the lines of a quote by their position."""
    return isinstance(value, Mapping) and bool(value) and all(isinstance(v, Mapping) for v in value.values())


def rows_of(title: str, value: Mapping[str, Mapping[str, Any]]) -> Panel:
    """Such a fact as a panel: a row each, a column for every name that some row fills."""
    ordered = sorted(value.items(), key=_position)
    names = list(dict.fromkeys(n for _, row in ordered for n, part in row.items() if part not in EMPTY))
    rows = [(key, *(text(row.get(name)) if row.get(name) not in EMPTY else fmt.DASH for name in names))
            for key, row in ordered]  # fmt: skip
    figures = [
        fmt.label(n) for n in names if all(FIGURE.fullmatch(str(row.get(n) or 0)) for _, row in ordered)
    ]
    return table(title, ["Position", *map(fmt.label, names)], rows, numeric=("Position", *figures))


def is_amount(value: Any) -> bool:
    """Money is kept at three digits."""
    return isinstance(value, str) and AMOUNT.fullmatch(value) is not None


def lines(values: Any) -> SafeString:
    """Several texts under each other."""
    return format_html_join("", "<div>{}</div>", ((str(value),) for value in values))


def said(value: Any) -> SafeString | str:
    """A fact for reading: a word, a number, or several under each other."""
    if isinstance(value, Mapping):
        parts = sorted(value.items(), key=_position)
        return format_html_join("", "<div>{}. {}</div>", ((key, text(part)) for key, part in parts))
    if isinstance(value, list):
        return lines(text(part) for part in value)
    return text(value)


def _position(pair: tuple[str, Any]) -> tuple[int, str]:
    """Lines are named by their position: 10 comes after 9."""
    return (int(pair[0]) if pair[0].isdigit() else 0, pair[0])


def text(value: Any) -> str:
    """A value in words: of a composed one what is filled, of a sealed one its last characters."""
    if isinstance(value, Mapping):
        filled = ((fmt.words(str(key)), text(part)) for key, part in value.items() if part not in EMPTY)
        return ", ".join(f"{key} {part}" for key, part in filled)
    if isinstance(value, list):
        return ", ".join(map(text, value))
    if isinstance(value, bool) or value in ("true", "false"):
        return "yes" if value in (True, "true") else "no"
    if vault.is_sealed(value):
        return vault.masked(value)
    return SCALED.sub(_short, fmt.words(str(value)))


def _short(number: re.Match[str]) -> str:
    """Money at three digits keeps two of them, other scales lose their zeros: '7200.000' → '7,200.00',
    '35.0000' → '35', '0.002500' → '0.0025'.
    """
    whole, digits = number[1], number[2]
    kept = digits.rstrip("0")
    if len(digits) <= 3:
        kept = kept.ljust(2, "0")
    grouped = f"{int(whole):,}" if int(whole) else whole
    return f"{grouped}.{kept}" if kept else grouped


def because(act: Act, texts: Sequence[str]) -> list[str]:
    """Why a step is asked. What a band says begins with the path of its fact: said by its label."""
    found = []
    for reason in texts:
        path, _, rest = reason.partition(" ")
        found.append(f"{named(act, path)} {_numbers(rest)}" if path in act.labels else reason)
    return found


def _numbers(reason: str) -> str:
    return LARGE.sub(lambda found: f"{int(found[1]):,}", DECIMAL.sub(_short, reason))


def named(act: Act, path: str) -> str:
    """The label of a fact."""
    return str(act.labels.get(path, fmt.label(path.replace(".", " "))))


def condition(act: Act, one: rules.Condition) -> str:
    """'Highest discount, percent is above 40'."""
    values = one.value if isinstance(one.value, list) else [one.value]
    shown = " or ".join(_numbers(text(value)) for value in values)
    return f"{named(act, one.path)} {OPERATORS.get(one.op, one.op)} {shown}"


def watched(act: Act, step: rules.Step) -> SafeString:
    return lines(f"{named(act, watch.path)}: {WORSE.get(watch.worse, watch.worse)}" for watch in step.watches)


def duty(code: str) -> SafeString:
    """What a duty allows, with its code for whoever gives roles."""
    described = access.describe(code)
    return format_html('<span title="{}">{}</span>', code, described[:1].upper() + described[1:])
