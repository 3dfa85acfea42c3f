"""docs/api.md is true: its calls are sent, as written, to a real server, and must be answered as written.

A block marked `console` holds calls after `$` and beneath each the expected answer: its status line,
then JSON of which every member must be there with the same value; "…" stands for anything. A comment
`<!-- NAME = path -->` after a block keeps a value of the last answer for later calls; `<!-- run: act
-->` does what people do meanwhile.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.api.docs_world import ACTS, prepare

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
BLOCK = re.compile(
    r"^```console\n(?P<calls>.*?)^```|^<!-- (?P<keep>\w+) = (?P<path>\S+) -->$|^<!-- run: (?P<run>\w+) -->$",
    re.MULTILINE | re.DOTALL,
)


class Step(NamedTuple):
    """A call with its expected status and answer (JSON, with $NAMES), a value to keep, or an act to run."""

    call: str = ""
    status: int = 0
    expected: str = ""
    keep: str = ""
    path: str = ""
    run: str = ""


def steps(text: str) -> list[Step]:
    found: list[Step] = []
    for match in BLOCK.finditer(text):
        if match["calls"] is None:
            found.append(Step(keep=match["keep"] or "", path=match["path"] or "", run=match["run"] or ""))
            continue
        for part in re.split(r"^\$ ", match["calls"], flags=re.MULTILINE)[1:]:
            call, status, body = re.split(r"^(\d{3}) .*$", part, maxsplit=1, flags=re.MULTILINE)
            found.append(Step(call.replace("\\\n", " ").strip(), int(status), body.strip()))
    return found


def filled(text: str, values: dict[str, str]) -> str:
    """The text with the variables in their places."""
    return re.sub(r"\$([A-Z][A-Z0-9_]*)", lambda match: values[match[1]], text)


def send(call: str, values: dict[str, str]) -> httpx.Response:
    """Carry out a curl command line: the few options that the page uses, and no other."""
    words = shlex.split(filled(call, values))
    assert words[0] == "curl"
    method, headers, body, address = "GET", {}, None, ""
    rest = iter(words[1:])
    for word in rest:
        if word in ("-X", "--request"):
            method = next(rest)
        elif word == "-H":
            name, _, value = next(rest).partition(":")
            headers[name] = value.strip()
        elif word == "--json":
            body, method = next(rest), "POST" if method == "GET" else method
            headers["Content-Type"] = "application/json"
        else:
            assert not word.startswith("-"), f"the page uses an option that the test doesn't know: {word}"
            address = word
    return httpx.request(method, address, headers=headers, content=body, timeout=30)


def differences(expected: Any, actual: Any, path: str = "") -> list[str]:
    if expected == "…":
        return []
    if isinstance(expected, dict) and isinstance(actual, dict):
        return [
            found
            for name, value in expected.items()
            for found in (
                differences(value, actual[name], f"{path}.{name}")
                if name in actual
                else [f"{path}.{name} is missing"]
            )
        ]
    if isinstance(expected, list) and isinstance(actual, list):
        wanted = [item for item in expected if item != "…"]
        if len(wanted) == len(expected) and len(actual) != len(expected):
            return [f"{path} has {len(actual)} items, not {len(expected)}"]
        pairs = enumerate(zip(wanted, actual, strict=False))
        return [found for index, (a, b) in pairs for found in differences(a, b, f"{path}[{index}]")]
    return [] if expected == actual else [f"{path}: {actual!r}, not {expected!r}"]


@pytest.mark.django_db(transaction=True)
def test_every_example_of_the_page_works_in_its_order(live_server: Any) -> None:
    values = {"O2C": live_server.url, **prepare()}
    answer = httpx.Response(0)
    todo = steps(PAGE.read_text())
    assert len([step for step in todo if step.call]) >= 3
    for step in todo:
        if step.run:
            ACTS[step.run](values)
            continue
        if step.keep:
            found: Any = answer.json()
            for part in step.path.split("."):
                found = found[int(part)] if part.isdigit() else found[part]
            values[step.keep] = str(found)
            continue
        answer = send(step.call, values)
        told = f"{step.call}\n{answer.status_code} {answer.text}"
        assert answer.status_code == step.status, told
        if step.expected:
            expected = json.loads(filled(step.expected, values))
            assert differences(expected, answer.json()) == [], told
