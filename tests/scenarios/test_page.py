"""The console's page: a deal month by month, two side by side, an order's own file; and who may."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from o2c.console.format import MINUS
from orders.models import Order
from tests.factories.access import make_user
from tests.factories.orders import line, make_catalogue, make_customer, make_order
from tests.factories.revenue import make_books

SHORT = """
scenario: Two months of {seats} seats
catalogue: [{{sku: SEATS, price: 40}}]
deal: {{from: 2026-01-01, months: 2, lines: [{{sku: SEATS, quantity: {seats}}}]}}
"""


@pytest.fixture
def dana(db: None, client: Client) -> Client:
    client.force_login(make_user("dana", "deal_desk"))
    return client


def test_the_form_comes_with_an_example_that_can_be_read(dana: Client) -> None:
    body = dana.get(reverse("scenarios")).content.decode()
    assert "A year of platform and seats" in body
    assert 'href="/admin/scenarios/"' in body  # in the sidebar


def test_two_deals_are_compared_month_by_month(dana: Client) -> None:
    upload = SimpleUploadedFile("b.yaml", SHORT.format(seats=7).encode())
    answer = dana.post(reverse("scenarios"), {"a": SHORT.format(seats=5), "b": "", "b_file": upload})
    rows = [(row.label, row.figures) for row in [*answer.context["months"], answer.context["total"]]]
    assert rows == [
        (
            "2026-01",
            ["200.00", "210.17", f"{MINUS}10.17", "280.00", "294.24", f"{MINUS}14.24", "80.00", "84.07"],
        ),
        ("2026-02", ["200.00", "189.83", "0.00", "280.00", "265.76", "0.00", "80.00", "75.93"]),
        ("Sum", ["400.00", "400.00", "", "560.00", "560.00", "", "160.00", "160.00"]),
    ]
    assert "<svg" in answer.content.decode()
    assert not Order.objects.exists()


def test_what_is_wrong_is_said_beside_its_text(dana: Client) -> None:
    wrong = SHORT.format(seats=5).replace("months", "moons")
    body = dana.post(reverse("scenarios"), {"a": wrong, "b": ""}).content.decode()
    assert "line:4: &#x27;moons&#x27; is not known here" in body


def test_a_file_is_checked_against_what_it_expects(dana: Client) -> None:
    story = SHORT.format(seats=5) + "happenings: [{on: 2026-01-01, bill: }]\nexpect: {billed: 200.00}\n"
    good = dana.post(reverse("scenarios"), {"a": story, "act": "check"}).content.decode()
    bad = dana.post(
        reverse("scenarios"), {"a": story.replace("200.00", "1"), "act": "check"}
    ).content.decode()
    assert "Everything is as the file expects." in good
    assert "line:6: expect.billed: expected 1.00, got 200.00" in bad


def test_an_order_leads_to_its_file(dana: Client) -> None:
    books = make_books()
    make_catalogue(books.team)
    order = make_order(books.team, make_customer(books.team), [line("SEATS", 5)], state="active")
    page = dana.get(reverse("admin:orders_order_change", args=[order.pk])).content.decode()
    assert f"/admin/scenarios/?order={order.number}" in page
    preview = dana.get(f"/admin/scenarios/?order={order.number}").content.decode()
    assert f"scenario: {order.number}" in preview
    kept = reverse("scenarios_order", args=[order.pk])
    assert f'href="{kept}"' in preview
    file = dana.get(kept)
    assert file["Content-Disposition"] == f'attachment; filename="{order.number}.yaml"'
    assert dana.get("/admin/scenarios/?order=O-1").status_code == 404


@pytest.mark.django_db
def test_it_takes_a_duty(client: Client) -> None:
    client.force_login(make_user("colin", "collections"))
    assert client.get(reverse("scenarios")).status_code == 403
    assert client.post(reverse("scenarios"), {"a": SHORT.format(seats=1)}).status_code == 403
    assert client.get(reverse("scenarios_order", args=[1])).status_code == 403
    assert "/admin/scenarios/" not in client.get(reverse("admin:index")).content.decode()
