"""docs/scenarios.md against the language: every key is there with an example, and every example works."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from o2c.scenarios import acts, language, outcome, runner
from o2c.scenarios.cast import Cast
from o2c.scenarios.reading import Block, Problems, keys_of

PAGE = Path(__file__).parents[2] / "docs" / "scenarios.md"
ROW = re.compile(r"^\| `(\w+)` \| .+ \| `(.+)` \|$")
FILES = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def documented() -> dict[str, dict[str, str]]:
    """By block of the language: the example of each key in the table below its mark."""
    found: dict[str, dict[str, str]] = {}
    block = ""
    for line in PAGE.read_text().splitlines():
        if mark := re.match(r"<!-- block: (\w+) -->", line):
            block = mark[1]
            found[block] = {}
        elif row := ROW.match(line):
            assert row[1] not in found[block], f"{block}.{row[1]} stands there twice"
            found[block][row[1]] = row[2]
    return found


def blocks(one: type[Block]) -> Iterator[type[Block]]:
    for child in one.__subclasses__():
        yield child
        yield from blocks(child)


PARTS = (language.__name__, acts.__name__, outcome.__name__)
BLOCKS = {one.__name__: one for one in blocks(Block) if one.__module__ in PARTS}


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_every_key_is_documented_with_an_example_that_can_be_read(name: str) -> None:
    rows = documented().get(name, {})
    keys = {one.name: one for one in keys_of(BLOCKS[name])}
    assert set(rows) == set(keys)
    for key, example in rows.items():
        node = yaml.compose(example, Loader=yaml.SafeLoader)
        assert isinstance(node, yaml.MappingNode), example
        [(written, value)] = node.value
        problems = Problems("docs")
        keys[key].read(value, problems)
        assert written.value == key
        assert not problems.found, f"{example}: {problems.found}"


@pytest.mark.django_db
@pytest.mark.parametrize("text", FILES, ids=[text.splitlines()[0].partition(": ")[2] for text in FILES])
def test_every_file_on_the_page_runs_as_it_expects(text: str) -> None:
    with runner.rolled_back():
        assert runner.run(language.parse(text, "docs"), Cast.hire(), "docs") == []
