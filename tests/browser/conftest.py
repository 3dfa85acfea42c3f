"""A real Chromium against a live server. Any message on the browser's console fails the test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from playwright.sync_api import Browser, Page, expect, sync_playwright

from o2c.access.models import User
from tests.factories.access import PASSWORD, make_user

# Playwright's synchronous interface runs a loop in this thread; the database is used from it all the same.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

CANDIDATES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
WIDTH, HEIGHT = 1440, 900
PATIENCE = 20_000  # milliseconds; the machine may be busy with other things

expect.set_options(timeout=PATIENCE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser" in str(item.path):
            item.add_marker(pytest.mark.browser)


def _chromium() -> str:
    path = os.environ.get("O2C_CHROMIUM") or next((p for n in CANDIDATES if (p := shutil.which(n))), "")
    if not path:
        pytest.fail("No Chromium: `apt-get install -y chromium`, or name one in O2C_CHROMIUM.")
    return path


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console said, apart from answers that a test asks for (`allowed`)."""
    return []


@pytest.fixture
def page(chromium: Browser, live_server: Any, complaints: list[str]) -> Iterator[Page]:
    """A fresh window of 1440 by 900."""
    cache.clear()
    context = chromium.new_context(
        viewport={"width": WIDTH, "height": HEIGHT}, base_url=live_server.url, locale="en-GB"
    )
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def sign_in(page: Page) -> Callable[..., Page]:
    """sign_in("billing_ops") → the home page of such a person, through the sign-in page.

    A second call is the next person at the same desk.
    """

    def enter(*roles: str, username: str = "", excused: bool = False) -> Page:
        name = username or "-".join(roles).replace("_", "-")
        if not User.objects.filter(username=name).exists():
            make_user(name, *roles, excused=excused)
        page.context.clear_cookies()
        page.goto("/admin/login/?next=/admin/")
        page.get_by_label("Username").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url("**/admin/")
        return page

    return enter


@pytest.fixture
def shoot(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """Keep a picture under O2C_SHOTS (a directory), when that is set."""

    def take(page: Page, name: str) -> None:
        folder = os.environ.get("O2C_SHOTS")
        if folder:
            page.screenshot(path=f"{folder}/{name}.png", full_page=True)

    return take
