"""Tasks, commands and importers: what does something because a person asks for it.

An app declares them in its `selftest.py`: in `build` with `world.ways.append(Way(…))`, those that can do no
controlled act in `IDLE`, with the reason. `missing()` is the list of those that are in neither.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from pkgutil import walk_packages
from tempfile import TemporaryDirectory
from typing import Any

from django.apps import apps
from django.core.management import call_command, get_commands, load_command_class

from o2c.access.models import User
from o2c.access.registry import is_ours
from o2c.actor import Actor, ambient
from o2c.celery import app as celery
from o2c.runtime import jobs

REASON = "Self-test of controls"
TASK, COMMAND, IMPORT = "task", "command", "import"


@dataclass(frozen=True)
class Way:
    """How somebody asks for the work of a task, a command or an importer, which takes `duty`.

    `name` is that of the inventory: of a job, "access grant", "billing.services.tax.load". `ask` does it as
    this person.
    """

    door: str
    name: str
    duty: str
    ask: Callable[[User], object]

    @property
    def key(self) -> str:
        return f"{self.door} {self.name}"


def command(name: str, duty: str, *arguments: str, by: str = "--by", said: str = "") -> Way:
    """A command that names who acts with `by`; `said` is what it reads from standard input."""

    def ask(person: User) -> object:
        return run_command(*name.split(), *arguments, by, person.username, said=said)

    return Way(COMMAND, name, duty, ask)


def run_command(name: str, *arguments: str, said: str = "") -> object:
    """Call a command by its name and arguments; `said` is what it reads from standard input."""
    with _reading(said):
        return call_command(name, *arguments, stdout=StringIO(), stderr=StringIO())


@contextmanager
def _reading(said: str) -> Iterator[None]:
    """Standard input that holds just this: a command that asks a person does not wait for one."""
    before, sys.stdin = sys.stdin, StringIO(said)
    try:
        yield
    finally:
        sys.stdin = before


def job(kind: str, duty: str, **arguments: Any) -> Way:
    """A job, as its task does it: the function in the name of whoever asked. What it refuses is raised here;
    a worker keeps it with the job and logs it as an error, which alerts listen to.
    """

    def ask(person: User) -> object:
        actor = Actor.of(person)
        with ambient(actor, reason=REASON):
            asked = jobs.enqueue(kind, arguments, actor=actor, reason=REASON)
        with ambient(Actor.of(asked.actor), reason=REASON):
            jobs.kind_of(kind).function(jobs.Running(asked))
        return asked

    return Way(TASK, kind, duty, ask)


def importer(name: str, duty: str, content: str, suffix: str, *given: Any, **values: Any) -> Way:
    """A function that reads a file; `given` follows the path, `values` are its keywords."""
    module, _, function = name.rpartition(".")

    def ask(person: User) -> object:
        with file(content, suffix) as path:
            read = getattr(import_module(module), function)
            return read(path, *given, actor=Actor.of(person), reason=REASON, **values)

    return Way(IMPORT, name, duty, ask)


@contextmanager
def file(content: str, suffix: str) -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"self-test{suffix}"
        path.write_text(content, encoding="utf-8")
        yield path


def existing() -> list[str]:
    """Every task, command and importer of the product, as `Way.key` says it."""
    found = [f"{TASK} {name}" for name in _tasks()]
    found += [f"{COMMAND} {name}" for name in _commands()]
    return sorted(found + [f"{IMPORT} {name}" for name in _importers()])


def idle() -> dict[str, str]:
    """What can do no controlled act, with the reason, as the apps declare it."""
    from o2c.controls.selftest import kernel  # which declares ways with what is here

    found = dict(kernel.IDLE)
    for config in apps.get_app_configs():
        name = f"{config.name}.selftest"
        if is_ours(config) and config.label != "selftest" and find_spec(name) is not None:
            found |= getattr(import_module(name), "IDLE", {})
    return found


def missing(ways: Sequence[Way]) -> list[str]:
    """What is neither tried nor declared; and what is declared and does not exist."""
    said = {way.key for way in ways} | set(idle())
    return sorted(said.symmetric_difference(existing()))


def _tasks() -> list[str]:
    celery.loader.import_default_modules()
    ours = tuple(f"{config.name}." for config in apps.get_app_configs() if is_ours(config))
    functions: dict[str, Callable[..., Any]] = dict(celery.tasks.items())
    functions |= {code: jobs.kind_of(code).function for code in jobs.kinds()}
    return [name for name, function in functions.items() if str(function.__module__).startswith(ours)]


def _commands() -> Iterator[str]:
    """Each command, or each act of one that has several."""
    ours = {config.name for config in apps.get_app_configs() if is_ours(config)}
    for name, owner in get_commands().items():
        if owner in ours:
            parser = load_command_class(str(owner), name).create_parser("manage.py", name)
            acts = _acts(parser)
            yield from (f"{name} {act}" for act in acts) if acts else (name,)


def _acts(parser: argparse.ArgumentParser) -> list[str]:
    """What a command can be told to do first: its sub-commands, or the choices of its first argument."""
    for action in parser._actions:
        if not action.option_strings and action.choices:
            return [str(choice) for choice in action.choices]
    return []


def _importers() -> Iterator[str]:
    """Public functions that take a file and somebody who acts."""
    for config in apps.get_app_configs():
        if not is_ours(config):
            continue
        root = import_module(config.name)
        for info in walk_packages(root.__path__, f"{config.name}."):
            if ".services" in info.name and ".management" not in info.name:
                module = import_module(info.name)
                for name, function in inspect.getmembers(module, inspect.isfunction):
                    if function.__module__ == info.name and not name.startswith("_") and _reads(function):
                        yield f"{info.name}.{name}"


def _reads(function: Callable[..., Any]) -> bool:
    parameters = inspect.signature(function).parameters
    return "actor" in parameters and any("Path" in str(one.annotation) for one in parameters.values())
