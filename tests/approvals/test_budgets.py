"""What people wait for costs a fixed number of queries, and `make bench` can lay its rows out."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from bench import controls
from o2c.access.models import User
from o2c.controls.approvals.selectors.inbox import inbox
from o2c.controls.approvals.services.submitting import preview
from o2c.controls.sod.selectors import simulate
from tests.approvals.test_pages import signed_in

pytestmark = pytest.mark.django_db


def test_inbox_eligibility_and_simulation_ask_a_fixed_number_of_queries(django_assert_max_num_queries):
    controls.lay_out(3)
    abe, bea = User.objects.get(username="abe"), User.objects.get(username="bea")
    client, address = signed_in("abe"), reverse("admin:queue", args=("approvals.inbox",))
    client.get(address)
    with CaptureQueriesContext(connection) as few:
        assert client.get(address).status_code == 200
    first = controls.lay_out(40)
    assert inbox(abe).count() == 45
    with CaptureQueriesContext(connection) as many:
        assert client.get(address).status_code == 200
    assert len(many) == len(few)

    with django_assert_max_num_queries(7):
        preview(first.act, first.subject_id, requester=bea)
    with django_assert_max_num_queries(6):
        simulate("abe", ["master_data"])
