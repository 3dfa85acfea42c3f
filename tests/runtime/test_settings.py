"""Settings by environment: production has no defaults for what matters, and passes Django's own review."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from o2c.runtime import home

PRODUCTION = {
    "O2C_PROFILE": "production",
    "SECRET_KEY": "k9!vQ2zL#x7Rw@4nT8pB%e5YcH3mJ6sF1dGaUoKiXtEyWqZrNbVl",
    "ALLOWED_HOSTS": "o2c.example.com",
    "O2C_FIELD_KEYS": "k1:" + "A" * 86 + "==",
    "O2C_PUBLIC_URL": "https://o2c.example.com",
    "DATABASE_URL": "postgres://o2c_app:secret@db.example.com:5432/o2c",
    "CELERY_BROKER_URL": "redis://broker.example.com:6379/0",
    "EMAIL_URL": "smtp+tls://mailer:secret@smtp.example.com:587",
}


def _manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=home.PROJECT, env=kept | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_production_profile_passes_djangos_review() -> None:
    done = _manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "no issues" in done.stdout


@pytest.mark.parametrize("name", sorted(set(PRODUCTION) - {"O2C_PROFILE"}))
def test_production_does_not_start_without(name: str) -> None:
    done = _manage("check", **{key: value for key, value in PRODUCTION.items() if key != name})

    assert done.returncode != 0
    assert name in done.stderr


def test_a_misspelt_profile_is_refused() -> None:
    done = _manage("check", O2C_PROFILE="prod")

    assert done.returncode != 0
    assert "'local' or 'production'" in done.stderr


def test_the_table_of_settings_is_complete() -> None:
    source = (home.PROJECT / "o2c" / "settings.py").read_text()
    elsewhere = "".join(path.read_text() for path in (home.PROJECT / "o2c" / "runtime").rglob("*.py"))
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z0-9_]+)"', source))
    read |= set(re.findall(r'environ(?:\.get\(|\[)\s*"(O2C_[A-Z0-9_]+|[A-Z_]+_URL)"', elsewhere))
    table = (home.PROJECT / "docs" / "settings.md").read_text()
    documented = set(re.findall(r"^\| `([A-Z0-9_]+)`", table, flags=re.MULTILINE))

    assert read <= documented, f"not in docs/settings.md: {sorted(read - documented)}"
    assert len(read) > 20
