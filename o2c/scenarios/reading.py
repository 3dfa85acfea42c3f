"""Reading YAML into frozen dataclasses, strictly: every problem is said with its line.

The tree of YAML nodes is read, not the values that PyYAML would make of it: a number keeps its digits
(`100.10` is exactly that, never a float), a date that does not exist is a problem instead of a text, a key
that is written twice is noticed.

    @dataclass(frozen=True, slots=True)
    class Deal(Block):
        start: dt.date = key(date, name="from")            # required
        po_number: str = key(text, default="")             # optional
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

import yaml

from o2c.errors import InvalidInput

NUMBER = re.compile(r"[+-]?\d{1,20}(\.\d{1,12})?")
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})")
MOST_BYTES = 1_000_000
MOST_NODES = 50_000


class Problems:
    """What is wrong with a text, in the order of its lines."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.found: list[tuple[int, str]] = []

    def add(self, line: int, message: str) -> None:
        self.found.append((line, message))

    def raise_if_any(self) -> None:
        if self.found:
            told = [f"{self.name}:{line}: {message}" for line, message in sorted(self.found)]
            raise Unreadable(told, sorted(self.found))


class Unreadable(InvalidInput):
    """A scenario that can't be read. `lines` has a text for each problem: "deal.yaml:12: what is wrong"."""

    def __init__(self, told: list[str], found: list[tuple[int, str]]) -> None:
        super().__init__("\n".join(told), remedy="docs/scenarios.md has every key with an example")
        self.lines = told
        self.found = found


Read = Callable[[yaml.Node, Problems], Any]
B = TypeVar("B", bound="Block")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A mapping of the file, with the line (from 1) on which it begins."""

    at_line: int = 0


@dataclass(frozen=True, slots=True)
class Key:
    """How one key of a block is written and read."""

    name: str
    attribute: str
    read: Read
    required: bool


def key(read: Read, *, name: str = "", default: Any = dataclasses.MISSING) -> Any:
    """A field of a block. `name` is the key where Python keeps the word for itself ("from")."""
    return field(default=default, metadata={"read": read, "name": name})


def keys_of(block: type[Block]) -> list[Key]:
    """The keys that a block knows, in the order of its declaration."""
    return [
        Key(f.metadata["name"] or f.name, f.name, f.metadata["read"], f.default is dataclasses.MISSING)
        for f in dataclasses.fields(block)
        if "read" in f.metadata
    ]


def load(source: str, block: type[B], name: str) -> B:
    """The block that a whole text describes. Raises Unreadable with every problem by its line."""
    problems = Problems(name)
    if len(source.encode()) > MOST_BYTES:
        problems.add(1, f"has more than {MOST_BYTES} bytes")
        problems.raise_if_any()
    try:
        node = yaml.compose(source, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problems.add(mark.line + 1 if mark else 1, f"is not YAML: {error.problem or error.context}")
        node = None
    except yaml.YAMLError as error:
        problems.add(1, f"is not YAML: {error}")
        node = None
    problems.raise_if_any()
    if node is None:
        problems.add(1, "is empty")
        problems.raise_if_any()
        raise AssertionError
    _limit(node, problems)
    problems.raise_if_any()
    result = record(block)(node, problems)
    problems.raise_if_any()
    return result


def _limit(root: yaml.Node, problems: Problems) -> None:
    """Refuse what YAML's anchors can blow up: a repeated node is counted each time it is used."""
    count, stack = 0, [root]
    while stack:
        node = stack.pop()
        count += 1
        if count > MOST_NODES:
            problems.add(line_of(node), f"has more than {MOST_NODES} values")
            return
        if isinstance(node, yaml.MappingNode):
            stack += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            stack += node.value


def line_of(node: yaml.Node) -> int:
    return node.start_mark.line + 1 if node.start_mark else 0


def is_nothing(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _scalar(node: yaml.Node, problems: Problems, wanted: str) -> str | None:
    if isinstance(node, yaml.ScalarNode) and not is_nothing(node):
        return node.value.strip()
    what = "nothing" if is_nothing(node) else "a list" if isinstance(node, yaml.SequenceNode) else "a block"
    problems.add(line_of(node), f"must be {wanted}, and is {what}")
    return None


def text(node: yaml.Node, problems: Problems) -> str:
    return _scalar(node, problems, "a text") or ""


def decimal(node: yaml.Node, problems: Problems) -> Decimal:
    """An exact number, with or without quotes: 100, 100.10, "-0.0000025"."""
    value = _scalar(node, problems, "a number")
    if value is None:
        return Decimal(0)
    if not NUMBER.fullmatch(value):
        problems.add(
            line_of(node), f"{value!r} is not a number such as 1200.00 (no thousands separator, no exponent)"
        )
        return Decimal(0)
    return Decimal(value)


def whole(node: yaml.Node, problems: Problems) -> int:
    number = decimal(node, problems)
    if number != int(number):
        problems.add(line_of(node), f"{number} is not a whole number")
    return int(number)


def date(node: yaml.Node, problems: Problems) -> dt.date:
    value = _scalar(node, problems, "a date such as 2026-01-31")
    if value is None:
        return dt.date.min
    try:
        if DATE.fullmatch(value):
            return dt.date.fromisoformat(value)
        more = ": contracts change at the beginning of a day, so no time" if INSTANT.fullmatch(value) else ""
        problems.add(line_of(node), f"{value!r} is not a date such as 2026-01-31{more}")
    except ValueError:
        problems.add(line_of(node), f"{value} is not a date: there is no such day")
    return dt.date.min


def month(node: yaml.Node, problems: Problems) -> str:
    value = _scalar(node, problems, "a month such as 2026-01")
    if value is not None and not MONTH.fullmatch(value):
        problems.add(line_of(node), f"{value!r} is not a month such as 2026-01")
    return value or ""


def instant(node: yaml.Node, problems: Problems) -> dt.datetime:
    """A point in time with its offset; a date alone is noon of that day, without one."""
    value = _scalar(node, problems, "a time such as 2026-01-31T18:30:00Z")
    if value is None:
        return dt.datetime.min.replace(tzinfo=dt.UTC)
    try:
        if DATE.fullmatch(value):
            return dt.datetime.combine(dt.date.fromisoformat(value), dt.time(12))
        if INSTANT.fullmatch(value):
            return dt.datetime.fromisoformat(value.replace("Z", "+00:00"))
        problems.add(line_of(node), f"{value!r} is not a time such as 2026-01-31T18:30:00Z, with its offset")
    except ValueError:
        problems.add(line_of(node), f"{value} is not a time: there is no such day or hour")
    return dt.datetime.min.replace(tzinfo=dt.UTC)


def flag(node: yaml.Node, problems: Problems) -> bool:
    value = _scalar(node, problems, "true or false")
    if value is not None and value not in ("true", "false"):
        problems.add(line_of(node), f"{value!r} is neither true nor false")
    return value == "true"


def choice(*values: str) -> Read:
    """One of these words."""

    def read(node: yaml.Node, problems: Problems) -> str:
        value = _scalar(node, problems, f"one of {', '.join(values)}")
        if value is not None and value not in values:
            problems.add(line_of(node), f"{value!r} is not one of {', '.join(values)}")
        return value or values[0]

    return read


def listing(read: Read) -> Read:
    """A list; a single value stands for a list of one."""

    def items(node: yaml.Node, problems: Problems) -> tuple[Any, ...]:
        if is_nothing(node):
            return ()
        if not isinstance(node, yaml.SequenceNode):
            return (read(node, problems),)
        return tuple(read(item, problems) for item in node.value)

    return items


def mapping(read_key: Read, read: Read) -> Read:
    """A block whose keys are data: months, accounts, dimensions."""

    def pairs(node: yaml.Node, problems: Problems) -> dict[Any, Any]:
        if is_nothing(node):
            return {}
        if not isinstance(node, yaml.MappingNode):
            problems.add(line_of(node), "must be a block of `key: value` lines")
            return {}
        found: dict[Any, Any] = {}
        for name, value in node.value:
            which = read_key(name, problems)
            if which in found:
                problems.add(line_of(name), f"{which} is written twice")
            found[which] = read(value, problems)
        return found

    return pairs


def plain(node: yaml.Node, problems: Problems) -> Any:
    """Lists and blocks as they are, every number in its digits as a text: the shape of a price."""
    if isinstance(node, yaml.MappingNode):
        return mapping(text, plain)(node, problems)
    if isinstance(node, yaml.SequenceNode):
        return [plain(item, problems) for item in node.value]
    if is_nothing(node):
        return None
    if node.tag == "tag:yaml.org,2002:bool" and node.value in ("true", "false"):
        return node.value == "true"
    return str(node.value)


def record(block: type[B], shorthand: str = "") -> Read:
    """A block of known keys. `shorthand` names the key that a bare value stands for."""
    known = {one.name: one for one in keys_of(block)}

    def read(node: yaml.Node, problems: Problems) -> B:
        line = line_of(node)
        if is_nothing(node):
            pairs: list[tuple[yaml.Node, yaml.Node]] = []
        elif isinstance(node, yaml.MappingNode):
            pairs = node.value
        elif shorthand:
            pairs = [(yaml.ScalarNode("tag:yaml.org,2002:str", shorthand, node.start_mark), node)]
        else:
            problems.add(line, "must be a block of `key: value` lines")
            return _empty(block, line)
        return _block(block, known, pairs, line, problems)

    return read


def _block(
    block: type[B],
    known: Mapping[str, Key],
    pairs: list[tuple[yaml.Node, yaml.Node]],
    line: int,
    problems: Problems,
) -> B:
    values: dict[str, Any] = {}
    for name_node, value in pairs:
        name = str(name_node.value)
        one = known.get(name)
        if one is None:
            problems.add(line_of(name_node), f"{name!r} is not known here; known are {', '.join(known)}")
        elif one.attribute in values:
            problems.add(line_of(name_node), f"{name!r} is written twice")
        else:
            values[one.attribute] = one.read(value, problems)
    missing = [one.name for one in known.values() if one.required and one.attribute not in values]
    for name in missing:
        problems.add(line, f"{name!r} is missing")
    return _empty(block, line) if missing else block(**values, at_line=line)


def _empty(block: type[B], line: int) -> B:
    """A stand-in where the real one could not be read; the problems are on record."""
    one = object.__new__(block)
    for f in dataclasses.fields(block):
        value = f.default if f.default is not dataclasses.MISSING else None
        object.__setattr__(one, f.name, line if f.name == "at_line" else value)
    return one
