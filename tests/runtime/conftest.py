"""A state directory of its own for tests that start servers: a whole second installation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from o2c.runtime import control, embedded


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty state directory; whatever runs for it at the end is stopped and deleted."""
    state = tmp_path / "state"
    monkeypatch.setenv("O2C_HOME", str(state))
    for name in ("DATABASE_URL", "CELERY_BROKER_URL", "O2C_DB_ROLE", "O2C_PORT", "O2C_DATABASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "o2c.settings")
    yield state
    control.stop()
    embedded.remove()
