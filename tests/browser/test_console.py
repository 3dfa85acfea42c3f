"""The console in the hands of a person: see what waits, decide, be refused, work in bulk, in the dark."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from o2c.access.models import RoleGrant
from o2c.actor import Actor
from o2c.outbox.models import Delivery
from tests.console.conftest import deliveries
from tests.factories.access import make_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

SignIn = Callable[..., Page]
Shoot = Callable[[Page, str], None]
PERSONAS = [
    "deal_desk", "order_management", "billing_ops", "collections", "revenue_accounting", "partner_ops",
    "approver", "auditor", "controller", "admin",
]  # fmt: skip


@pytest.fixture
def stuck(transactional_db: None) -> list[Delivery]:
    return deliveries(["stuck", "stuck", "done"], Actor.of(make_user("set-up", "admin")))


@pytest.mark.parametrize("role", PERSONAS)
def test_each_persona_signs_in_and_sees_home(role: str, sign_in: SignIn, shoot: Shoot) -> None:
    page = sign_in(role)

    expect(page.get_by_role("heading", name="Waiting for you")).to_be_visible()
    expect(page.get_by_role("link", name="Home")).to_be_visible()
    shoot(page, f"home-{role}")


def test_a_wrong_password_is_said_and_nobody_comes_in(page: Page) -> None:
    make_user("ada", "admin")
    page.goto("/admin/login/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()

    expect(page.get_by_text("Please enter the correct username and password")).to_be_visible()


def test_from_home_to_the_queue_to_the_decision(sign_in: SignIn, stuck: list[Delivery], shoot: Shoot) -> None:
    page = sign_in("admin")

    page.get_by_role("link", name="Events that are stuck").click()
    shoot(page, "queue")
    page.get_by_role("row").nth(1).get_by_role("link", name="Retry now").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="Retry now")).to_be_visible()
    shoot(page, "dialog")
    dialog.get_by_label("Reason").fill("the price is loaded")
    dialog.get_by_role("button", name="Retry now").click()

    page.wait_for_url(f"**/{stuck[1].pk}/change/?queue=outbox.stuck")
    expect(page.get_by_text("Done: Retry now")).to_be_visible()
    assert Delivery.objects.get(pk=stuck[0].pk).state == "pending"


def test_opening_and_closing_the_dialog_changes_nothing(sign_in: SignIn, stuck: list[Delivery]) -> None:
    page = sign_in("admin")
    page.goto(f"/admin/outbox/delivery/{stuck[0].pk}/change/")

    page.get_by_role("link", name="Retry now").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_be_hidden()
    assert Delivery.objects.get(pk=stuck[0].pk).state == "stuck"


def test_a_refused_button_says_why_to_mouse_and_keyboard(
    sign_in: SignIn, stuck: list[Delivery], shoot: Shoot
) -> None:
    page = sign_in("auditor")
    page.goto(f"/admin/outbox/delivery/{stuck[0].pk}/change/")
    button = page.get_by_role("button", name="Retry now")

    expect(button).to_be_disabled()
    button.focus()
    page.keyboard.press("Enter")

    expect(page.get_by_text("outbox.delivery.retry")).to_be_visible()
    shoot(page, "why-not")


def test_what_the_service_refuses_is_read_in_the_dialog(sign_in: SignIn) -> None:
    person = make_user("newcomer")
    page = sign_in("admin")
    page.goto(f"/admin/access/user/{person.pk}/change/")

    page.get_by_role("link", name="Set password").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Password").fill("short")
    dialog.get_by_label("Reason").fill("first sign-in")
    dialog.get_by_role("button", name="Set password").click()

    expect(dialog.get_by_role("alert")).to_contain_text("too short")


def test_a_role_is_granted_with_a_reason(sign_in: SignIn) -> None:
    person = make_user("newcomer")
    page = sign_in("admin")
    page.goto(f"/admin/access/user/{person.pk}/change/")

    page.get_by_role("link", name="Grant a role").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Grant a role").click()
    expect(dialog.get_by_text("This field is required.").first).to_be_visible()
    dialog.get_by_label("Role").select_option(label="Auditor")
    dialog.get_by_label("Reason").fill("joins the audit")
    dialog.get_by_role("button", name="Grant a role").click()

    expect(page.get_by_role("cell", name="joins the audit")).to_be_visible()
    assert RoleGrant.objects.get(user=person).role.code == "auditor"


def test_bulk_shows_what_would_happen_before_it_does(
    sign_in: SignIn, stuck: list[Delivery], shoot: Shoot
) -> None:
    page = sign_in("admin")
    page.goto("/admin/outbox/delivery/")

    page.locator("#action-toggle").check()
    page.locator("select[name=action]").select_option("bulk_retry")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text("2 will pass")).to_be_visible()
    expect(page.get_by_text("1 won't")).to_be_visible()
    shoot(page, "bulk-preview")
    assert Delivery.objects.filter(state="stuck").count() == 2
    page.get_by_label("Reason").fill("prices are loaded")
    page.get_by_role("button", name="Retry now 2").click()

    expect(page.get_by_text("2 done")).to_be_visible()
    assert Delivery.objects.filter(state="pending").count() == 2


def test_bulk_from_the_queue_by_keyboard(sign_in: SignIn, stuck: list[Delivery]) -> None:
    page = sign_in("admin")
    page.goto("/admin/queues/outbox.stuck/")

    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.get_by_text("1 selected")).to_be_visible()
    page.get_by_role("button", name="Retry now selected").click()

    expect(page.get_by_text("1 will pass")).to_be_visible()


def test_search_by_keyboard_opens_the_record(sign_in: SignIn) -> None:
    person = make_user("grace-hopper")
    page = sign_in("admin")

    page.keyboard.press("/")
    page.get_by_placeholder("Type to search").press_sequentially("grace-h")
    page.get_by_role("link", name="grace-hopper").click()

    page.wait_for_url(f"**/admin/access/user/{person.pk}/change/")


def test_dark_mode_is_kept_and_legible(sign_in: SignIn, stuck: list[Delivery], shoot: Shoot) -> None:
    page = sign_in("admin", username="ada")

    page.get_by_role("button", name="ada").click()
    page.get_by_text("Dark", exact=True).click()
    page.goto("/admin/queues/outbox.stuck/")

    assert "dark" in (page.locator("html").get_attribute("class") or "")
    shoot(page, "queue-dark")
    for selector in ("h1", ".o-table th[scope=row] a", ".o-reason", ".o-btn-primary"):
        assert contrast(page, selector) >= 4.5, selector


def test_light_mode_is_legible(sign_in: SignIn, stuck: list[Delivery]) -> None:
    page = sign_in("admin")
    page.goto("/admin/queues/outbox.stuck/")

    for selector in ("h1", ".o-table th[scope=row] a", ".o-reason", ".o-btn-primary", ".o-note"):
        assert contrast(page, selector) >= 4.5, selector


def contrast(page: Page, selector: str) -> float:
    """WCAG contrast of the first such element's text against the nearest painted background."""
    ratio = page.locator(selector).first.evaluate(
        """element => {
            const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
            const rgb = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour;
                canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
            const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
                .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
                .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
            let behind = element, back;
            do { back = rgb(getComputedStyle(behind).backgroundColor); behind = behind.parentElement; }
            while (back[3] < 255 && behind);
            const [a, b] = [light(rgb(getComputedStyle(element).color)), light(back)].sort((x, y) => y - x);
            return (a + .05) / (b + .05);
        }"""
    )
    return float(ratio)


def test_the_excel_button_downloads_the_list(sign_in: SignIn) -> None:
    page = sign_in("auditor")
    page.goto("/admin/ledger/account/")

    with page.expect_download() as download:
        page.get_by_role("button", name="Excel").click()

    assert download.value.suggested_filename.startswith("accounts-")
    assert download.value.suggested_filename.endswith(".xlsx")


def test_the_page_of_a_job_refreshes_itself(sign_in: SignIn) -> None:
    from o2c import clock
    from o2c.access.models import User
    from o2c.actor import Actor, acting
    from o2c.runtime.models import Job

    page = sign_in("admin", username="ada")
    ada = User.objects.get(username="ada")
    with acting(Actor.of(ada), reason="asked for"):
        job = Job.objects.create(
            kind="x", actor=ada, state="running", current=10, total=40,
            phase="Posting", started_at=clock.now(), attempts=1,
        )  # fmt: skip
    page.goto(f"/admin/runtime/job/{job.pk}/change/")
    expect(page.get_by_text("10 of 40 (25 %)")).to_be_visible()

    Job.objects.filter(pk=job.pk).update(current=30)

    expect(page.get_by_text("30 of 40 (75 %)")).to_be_visible()


def test_every_page_of_the_sidebar_opens_without_a_complaint(sign_in: SignIn, shoot: Shoot) -> None:
    page = sign_in("auditor", "controller", "admin", excused=True)
    links = page.locator("#nav-sidebar-apps a").evaluate_all("all => all.map(a => a.getAttribute('href'))")

    assert len(links) > 15
    for link in links:
        response = page.goto(link)
        assert response is not None
        assert response.status == 200, link
        shoot(page, "list" + link.replace("/", "-").rstrip("-"))


def test_the_keyboard_reaches_search_menu_and_help(sign_in: SignIn) -> None:
    page = sign_in("admin")

    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("h")

    page.wait_for_url("**/admin/")
