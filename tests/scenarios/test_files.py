"""Every scenario file below this folder, through the services, one after the other on one set of people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from o2c.scenarios import runner
from o2c.scenarios.cast import Cast
from orders.models import Customer

HERE = Path(__file__).parent
FILES = sorted(HERE.rglob("*.yaml"))


@pytest.fixture(scope="module")
def cast(django_db_setup: None, django_db_blocker: Any) -> Iterator[Cast]:
    with django_db_blocker.unblock(), runner.rolled_back():
        yield Cast.hire()


@pytest.mark.django_db
@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(HERE)) for path in FILES])
def test_scenario(cast: Cast, path: Path) -> None:
    result = runner.run_file(path, cast)
    assert not result.problems, "\n".join(result.problems)


@pytest.mark.django_db
def test_nothing_remains_of_them() -> None:
    assert not Customer.objects.exists()
