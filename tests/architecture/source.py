"""The product's source files, parsed once."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APPS = ("orders", "billing", "revenue", "partners")
MONEY = (*APPS, "o2c/money", "o2c/ledger", "o2c/numbering")


@dataclass(frozen=True)
class Source:
    """One file: its path from the root, its text and its tree."""

    path: str
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())


@functools.cache
def product() -> tuple[Source, ...]:
    """Every file that ships, without migrations."""
    return tuple(_read("o2c", *APPS))


@functools.cache
def everything() -> tuple[Source, ...]:
    """What ships, and the tests and tools beside it."""
    return tuple(_read("o2c", *APPS, "tests", "bench", "tools"))


def below(*folders: str) -> list[Source]:
    """Files of the product in these folders."""
    return [source for source in product() if source.path.startswith(tuple(f"{name}/" for name in folders))]


def _read(*folders: str) -> Iterator[Source]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if "/migrations/" not in name:
                text = path.read_text()
                yield Source(name, text, ast.parse(text, name))


def functions(source: Source) -> Iterator[ast.FunctionDef]:
    """Every function and method, at any depth."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef):
            yield node


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    """Every call with the dotted text of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)
