"""The part of the OpenAPI document that Salesforce External Services imports.

External Services accepts a subset of OpenAPI 3.0 and a limited size; each operation becomes an action in
Flow, named by its operationId. Views opt in with `for_salesforce = True`; `faults` lists what External
Services would choke on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularAPIView

MOST_OPERATIONS = 25
LONGEST_DESCRIPTION = 1333
OPERATION_ID = re.compile(r"^[A-Za-z][A-Za-z0-9_]{0,39}$")
METHODS = ("get", "put", "post", "patch", "delete")


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(path, method, operation) of an OpenAPI document."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def subset(document: dict[str, Any]) -> dict[str, Any]:
    """The operations offered to Salesforce, with the schemas they refer to and no others."""
    paths: dict[str, Any] = {}
    for path, method, operation in operations(document):
        if operation.get("x-salesforce"):
            paths.setdefault(path, {})[method] = operation
    schemas = document["components"].get("schemas", {})
    needed: set[str] = set()
    waiting = list(_references(paths))
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting.extend(_references(schemas[name]))
    components = document["components"] | {"schemas": {name: schemas[name] for name in sorted(needed)}}
    return document | {"paths": paths, "components": components}


def faults(document: dict[str, Any]) -> list[str]:
    """Why External Services would refuse the document or garble it; empty when it is fine."""
    found: list[str] = []
    seen: set[str] = set()
    count = 0
    for path, method, operation in operations(document):
        count += 1
        where = f"{method.upper()} {path}"
        name = operation.get("operationId", "")
        if not OPERATION_ID.match(name) or name in seen:
            found.append(f"{where}: the operationId '{name}' is no unique name of at most 40 characters")
        seen.add(name)
        if method == "get" and "requestBody" in operation:
            found.append(f"{where}: a GET has no body")
        if len(operation.get("description", "")) > LONGEST_DESCRIPTION:
            found.append(f"{where}: the description is longer than {LONGEST_DESCRIPTION} characters")
    if count > MOST_OPERATIONS:
        found.append(f"{count} operations, at most {MOST_OPERATIONS}")
    for name, schema in document["components"].get("schemas", {}).items():
        found.extend(f"{name}: {fault}" for fault in _schema_faults(schema))
    return found


def _schema_faults(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    if "oneOf" in schema or "anyOf" in schema:
        yield f"{path or 'itself'} is polymorphic"
    if schema.get("type") == "array":
        items = schema.get("items", {})
        if items.get("type") in ("array", "object"):
            yield f"{path or 'itself'} is an array whose items have no name"
    for name, inner in schema.get("properties", {}).items():
        if not {"type", "$ref", "allOf"} & set(inner):
            yield f"{path}.{name} has no type"
        yield from _schema_faults(inner, f"{path}.{name}".lstrip("."))


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "$ref" and isinstance(value, str):
                yield value.rpartition("/")[2]
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


class SalesforceGenerator(SchemaGenerator):  # type: ignore[no-untyped-call]
    def get_schema(self, request: Any = None, public: bool = False) -> Any:
        return subset(super().get_schema(request=request, public=public))  # type: ignore[no-untyped-call]


class SalesforceSchemaView(SpectacularAPIView):
    """The OpenAPI document for Salesforce External Services."""

    generator_class = SalesforceGenerator
