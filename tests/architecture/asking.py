"""Which functions ask for a duty: themselves, or through what they call in the actor's name."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.architecture.source import Source, calls, product

Where = tuple[str, str]
"""Module and name of a function."""


@dataclass
class Function:
    """A function of a module: the duties that it asks for, and what it calls."""

    where: Where
    node: ast.FunctionDef
    duties: list[str | None] = field(default_factory=list)  # None: not a constant
    called: set[Where] = field(default_factory=set)
    writes: bool = False

    @property
    def acts(self) -> bool:
        """True if it is done in somebody's name: it takes an actor."""
        every = (*self.node.args.args, *self.node.args.kwonlyargs)
        return any(arg.arg == "actor" and arg.annotation is not None for arg in every)

    @property
    def label(self) -> str:
        return f"{self.where[0]}.{self.where[1]}"


WRITING = (
    "save",
    "create",
    "bulk_create",
    "bulk_update",
    "update",
    "delete",
    "get_or_create",
    "update_or_create",
)


@functools.cache
def known() -> Mapping[Where, Function]:
    """Every function at the top of a module."""
    found: dict[Where, Function] = {}
    for source in product():
        module = _module(source)
        names = _names(source, module)
        constants = _constants(source)
        for node in source.tree.body:
            if isinstance(node, ast.FunctionDef):
                found[module, node.name] = _read(Function((module, node.name), node), names, constants)
    return found


@functools.cache
def asking() -> frozenset[Where]:
    """Functions that ask for a duty, at any depth."""
    functions = known()
    done = {where for where, one in functions.items() if one.duties}
    while True:
        more = {where for where, one in functions.items() if where not in done and one.called & done}
        if not more:
            return frozenset(done)
        done |= more


def _read(one: Function, names: Mapping[str, Where], constants: Mapping[str, str]) -> Function:
    for call, text in calls(one.node):
        if text in ("require", "authorise.require"):
            one.duties.append(_text(call.args[1], constants) if len(call.args) > 1 else None)
        elif _passes_actor(call):
            one.called.update(_resolved(text, names))
        if _is_write(text):
            one.writes = True
    return one


def _passes_actor(call: ast.Call) -> bool:
    """The actor goes along: by name, or among the arguments."""
    if any(word.arg == "actor" or word.arg is None for word in call.keywords):
        return True
    return any(isinstance(arg, ast.Name) and arg.id == "actor" for arg in call.args)


def _is_write(text: str) -> bool:
    owner, _, name = text.rpartition(".")
    return name in WRITING and ("objects" in owner or name in ("save", "bulk_create"))


def _resolved(text: str, names: Mapping[str, Where]) -> Iterator[Where]:
    if text in names:
        yield names[text]
        return
    head, _, rest = text.partition(".")
    if head in names:
        module, name = names[head]
        if rest and "." not in rest:
            yield f"{module}.{name}", rest


def _names(source: Source, module: str) -> dict[str, Where]:
    """What each name of a module stands for: its own functions, and what it imports anywhere."""
    names: dict[str, Where] = {}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                names[alias.asname or alias.name] = (node.module, alias.name)
                if (node.module, alias.name) == ("o2c.controls", "approvals"):
                    # The package hands its services on when they are first used.
                    names["approvals.submit"] = ("o2c.controls.approvals.services.submitting", "submit")
    for node in source.tree.body:
        if isinstance(node, ast.FunctionDef):
            names[node.name] = (module, node.name)
    return names


def _constants(source: Source) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in source.tree.body:
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if isinstance(target, ast.Name) and isinstance(node.value, ast.Constant):
                found[target.id] = str(node.value.value)
            elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                for name, value in zip(target.elts, node.value.elts, strict=False):
                    if isinstance(name, ast.Name) and isinstance(value, ast.Constant):
                        found[name.id] = str(value.value)
    return found


def _text(node: ast.expr, constants: Mapping[str, str]) -> str | None:
    if isinstance(node, ast.Constant):
        return str(node.value)
    return constants.get(node.id) if isinstance(node, ast.Name) else None


def _module(source: Source) -> str:
    name = source.path.removesuffix(".py").replace("/", ".")
    return name.removesuffix(".__init__")
