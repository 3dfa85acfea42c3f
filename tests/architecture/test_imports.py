"""Who may import whom, and which tables may point at which."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db import models
from importlinter.cli import lint_imports

from tests.architecture.source import APPS, product

# What each app may point at or import, itself aside. The kernel's apps are everybody's.
UPSTREAM = {
    "orders": set(),
    "billing": {"orders"},
    "revenue": {"orders", "billing"},
    "partners": {"orders", "billing"},
}
# The only kernel files that know the apps; demonstration and scenarios drive them all by their services.
KNOW_THE_APPS = (
    "o2c/settings.py",
    "o2c/urls.py",
    "o2c/celery.py",
    "o2c/access/registry.py",
    "o2c/demo/",
    "o2c/scenarios/",
)


@pytest.mark.slow
def test_import_contracts(capsys: pytest.CaptureFixture[str]) -> None:
    status = lint_imports()
    assert status == 0, capsys.readouterr().out


def test_foreign_keys_point_up_the_stream() -> None:
    """`ForeignKey("billing.Invoice")` is a string, which no import contract sees."""
    wrong = [
        f"{model._meta.label}.{field.name} → {target}"
        for model in apps.get_models(include_auto_created=True)
        for field, target in _relations(model)
        if not _allowed(model._meta.app_label, target.partition(".")[0])
    ]
    assert not wrong, "\n".join(wrong)


def _relations(model: type[models.Model]) -> Iterator[tuple[models.Field, str]]:
    for field in model._meta.get_fields():
        if isinstance(field, models.Field) and field.is_relation and isinstance(field.related_model, type):
            yield field, field.related_model._meta.label


def _allowed(source: str, target: str) -> bool:
    if source in APPS:
        return target == source or target not in APPS or target in UPSTREAM[source]
    return target not in APPS


def test_the_kernel_knows_no_app() -> None:
    """Not by import and not by name in an import string."""
    wrong = [
        f"{source.path}:{node.lineno} {name}"
        for source in product()
        if source.path.startswith("o2c/") and not source.path.startswith(KNOW_THE_APPS)
        for node, name in _imports(source.tree)
        if name.partition(".")[0] in APPS
    ]
    assert not wrong, "\n".join(wrong)


def _imports(tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node, node.module
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
