"""Rules of the source that no linter knows: time, exact numbers, size, who acts."""

from __future__ import annotations

import ast
import re

import pytest

from tests.architecture.source import APPS, MONEY, Source, below, calls, everything, functions, product

LONGEST_FUNCTION = 70
LONGEST_FILE = 500

# Calls that ask what time it is. Monotonic clocks measure durations and are no dates.
CLOCKS = re.compile(r"(datetime|date|dt|timezone)\.(now|utcnow|today|localdate|localtime)$|^time\.time$")
DURATIONS = {"timeout", "timeout_seconds", "seconds", "delay", "wait_seconds"}
SQL_CLOCK = re.compile(r"\b(now\(\)|current_date|current_timestamp|localtimestamp)", re.IGNORECASE)


def test_only_the_clock_asks_what_time_it_is() -> None:
    found = [
        f"{source.path}:{call.lineno} {name}"
        for source in product()
        if source.path != "o2c/clock.py"
        for call, name in calls(source.tree)
        if CLOCKS.search(name)
    ]
    assert not found, "Ask o2c.clock, or take the date as an argument:\n" + "\n".join(found)


def test_no_column_fills_itself_with_the_time() -> None:
    found = [
        f"{source.path}:{call.lineno}"
        for source in product()
        for call, _ in calls(source.tree)
        if any(word.arg in ("auto_now", "auto_now_add") for word in call.keywords)
    ]
    assert not found, f"Django's clock, not ours: {found}"


def test_arithmetic_never_asks_the_clock() -> None:
    """Money code takes its dates as arguments: also not through o2c.clock, also not in SQL."""
    domain = [s for s in product() if "/domain/" in s.path or "/selectors/" in s.path]
    asked = [
        f"{source.path}:{call.lineno} {name}"
        for source in domain
        for call, name in calls(source.tree)
        if name.startswith("clock.")
    ]
    in_sql = [
        f"{source.path}:{node.lineno} {match.group()}"
        for source in below(*APPS)
        if not source.path.endswith(("triggers.py", "invariants.py"))
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if (match := SQL_CLOCK.search(node.value))
        and re.search(r"\b(select|update|insert)\b", node.value, re.I)
    ]
    assert not asked + in_sql, "Take the as-of date as an argument:\n" + "\n".join(asked + in_sql)


def test_no_float_near_money() -> None:
    """Where amounts and quantities are: no float by name, and in arithmetic none as a number either."""
    found = [
        f"{source.path}:{line} {what}"
        for source in below(*MONEY)
        if "provisioning" not in source.path  # a conversation over HTTP: durations, no amounts
        for line, what in _floats(source)
    ]
    assert not found, "Decimal or Fraction:\n" + "\n".join(found)


def _floats(source: Source) -> list[tuple[int, str]]:
    refused = {
        id(node)  # `isinstance(x, float)` is how a float is refused
        for call, name in calls(source.tree)
        if name == "isinstance"
        for node in ast.walk(call)
    }
    seconds = {
        id(node)  # a timeout in seconds is no amount
        for argument in ast.walk(source.tree)
        if isinstance(argument, ast.arg) and argument.arg in DURATIONS and argument.annotation
        for node in ast.walk(argument.annotation)
    }
    found = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name) and node.id == "float" and id(node) not in refused | seconds:
            found.append((node.lineno, "float"))
        if not isinstance(node, ast.Constant) or "/domain/" not in source.path:
            continue
        if isinstance(node.value, float):
            found.append((node.lineno, ast.unparse(node)))
    return found


def test_functions_have_at_most_seventy_lines() -> None:
    found = [
        f"{source.path}:{node.lineno} {node.name} has {length}"
        for source in everything()
        if not source.path.startswith("tests/")  # a test that tells a day's story may be long
        for node in functions(source)
        if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    ]
    assert not found, "Does it do one thing?\n" + "\n".join(found)


def test_files_have_at_most_five_hundred_lines() -> None:
    found = [f"{source.path} has {source.lines}" for source in everything() if source.lines > LONGEST_FILE]
    assert not found, "Does it hold one thing?\n" + "\n".join(found)


def test_every_writing_service_takes_an_actor_by_name() -> None:
    """A service that opens acting() takes `actor` as a keyword-only argument: nobody can misplace it."""
    found = []
    for source in product():
        if "/services" not in source.path:
            continue
        for node in source.tree.body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                continue
            writes = any(name == "acting" for _, name in calls(node))
            if writes and "actor" not in {argument.arg for argument in node.args.kwonlyargs}:
                found.append(f"{source.path}:{node.lineno} {node.name}")
    allowed = {"first_administrator"}  # there is nobody yet: the installer is the actor
    found = [entry for entry in found if entry.split()[-1] not in allowed]
    assert not found, "Add `*, actor: Actor`:\n" + "\n".join(found)


def test_no_logic_hides_in_save_or_in_signals() -> None:
    """A model's save() does nothing of its own; no signal of a row is answered."""
    saves = [
        f"{source.path}:{node.lineno}"
        for source in below(*APPS)
        for node in functions(source)
        if node.name in ("save", "delete") and "/models/" in source.path
    ]
    receivers = [
        f"{source.path}:{call.lineno} {name}"
        for source in below(*APPS)
        for call, name in calls(source.tree)
        if name.endswith(("post_save.connect", "pre_save.connect", "post_delete.connect", "receiver"))
    ]
    assert not saves + receivers, "Belongs in a service:\n" + "\n".join(saves + receivers)


def test_no_exception_is_swallowed() -> None:
    """`except Exception` re-raises, answers or writes down; it never just goes on."""
    found = [
        f"{source.path}:{handler.lineno}"
        for source in product()
        for handler in ast.walk(source.tree)
        if isinstance(handler, ast.ExceptHandler)
        if handler.type is None or ast.unparse(handler.type) in ("Exception", "BaseException")
        if all(isinstance(line, ast.Pass | ast.Continue) for line in handler.body)
    ]
    assert not found, found


# What is dangerous, and the one file that may use it, each for a reason given there.
DOORS = {
    "csrf_exempt": {"partners/api/registration.py"},
    "mark_safe": {"o2c/console/format.py"},
    # Not to set it: a default of it for a role is told as a guard that was not installed.
    "session_replication_role": {"o2c/audit/fingerprints.py", "o2c/audit/verifier/guards.py"},
    "DISABLE TRIGGER": set(),
    "AllowAny": set(),
    "pickle": set(),
}


@pytest.mark.parametrize("word", DOORS)
def test_doors_that_stay_shut(word: str) -> None:
    found = {source.path for source in product() if word in source.text}
    assert found == DOORS[word]
