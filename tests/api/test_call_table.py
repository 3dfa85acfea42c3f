"""docs/api.md lists every call, with its duty: the table is compared with the OpenAPI document."""

from __future__ import annotations

from typing import Any

from drf_spectacular.generators import SchemaGenerator

from o2c.api.salesforce import operations
from tests.api.test_docs import PAGE


def table(document: dict[str, Any]) -> list[str]:
    """The rows as they have to stand on the page."""
    rows = []
    for path, method, operation in operations(document):
        duty = operation["x-duty"]
        rows.append(
            (
                operation["tags"][0],
                path,
                f"| {method.upper()} | `{path.removeprefix('/api/v1')}` | {operation['summary']} "
                f"| {'whoever is known' if duty == '*' else f'`{duty}`'} |",
            )
        )
    return [row for _, _, row in sorted(rows)]


def test_the_page_lists_every_call() -> None:
    expected = table(SchemaGenerator().get_schema(public=True))  # type: ignore[no-untyped-call]
    _, _, section = PAGE.read_text().partition("## All calls\n")
    found = [line for line in section.splitlines() if line.startswith(("| GET", "| P", "| DELETE"))]
    assert found == expected, "Put these rows there:\n" + "\n".join(expected)
