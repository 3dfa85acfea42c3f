"""The documentation points at what exists."""

from __future__ import annotations

import re

import pytest

from tests.architecture.source import ROOT

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
FILE = re.compile(r"`((?:o2c|orders|billing|revenue|partners|tests|tools|bench)/[\w/.]+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_and_file_names_lead_somewhere(page: object) -> None:
    text = page.read_text()  # type: ignore[attr-defined]
    folder = page.parent  # type: ignore[attr-defined]
    links = [target for target in LINK.findall(text) if "://" not in target]
    lost = [target for target in links if not (folder / target).exists()]
    lost += [name for name in FILE.findall(text) if not (ROOT / name).exists()]
    assert not lost, lost


def test_the_readme_shows_both_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert "make demo" in text
    assert "make test" in text
