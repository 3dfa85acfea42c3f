"""What is lent for a while is asked of the rules of segregation, as what is given for good."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import transaction

from o2c import clock
from o2c.access.models import User
from o2c.actor import Actor, acting
from o2c.controls.approvals.models import Delegation
from o2c.controls.approvals.selectors.lending import broken_by_delegation
from o2c.controls.approvals.services import delegations
from o2c.controls.sod.models import SodException
from o2c.errors import NotAuthorised
from tests.factories.access import excuse, give_roles
from tests.factories.billing import person

pytestmark = pytest.mark.django_db


def user(name: str) -> User:
    return User.objects.get(username=name)


def given(giver: Actor, taker: str) -> Delegation:
    now = clock.now()
    return delegations.give(
        delegate=user(taker), valid_from=now, valid_to=now + dt.timedelta(days=3), actor=giver, reason="Leave"
    )


@pytest.fixture
def abe(db) -> Actor:
    return person("abe", "approver")


@pytest.fixture
def rick(db) -> Actor:
    """He records receipts: the write-off of what he received is not his to decide (S18)."""
    return person("rick", "cash_receipts")


def test_nobody_borrows_the_other_side_of_a_rule(abe, rick):
    with pytest.raises(NotAuthorised, match=r"S\d\d: rick would hold both .*ask for an exception") as refused:
        given(abe, "rick")
    assert refused.value.code == "segregation"
    assert not Delegation.objects.exists()


def test_an_exception_covers_it(abe, rick):
    rules = {one.rule for _, one in broken_by_delegation(abe.user_id, rick.user_id)}
    excuse(user("rick"), *rules)
    lent = given(abe, "rick")
    assert delegations.accept(lent.pk, actor=rick).accepted_at


def test_it_is_asked_again_when_it_is_accepted_and_by_the_table(abe, rick):
    """The exception ended between the two."""
    excuse(user("rick"))
    lent = given(abe, "rick")
    with acting(abe, reason="over"):
        SodException.objects.filter(user=user("rick")).update(state="ended")
    with pytest.raises(NotAuthorised, match="rick would hold both"):
        delegations.accept(lent.pk, actor=rick)
    with pytest.raises(NotAuthorised, match="by delegation .* rick would hold both"):
        with acting(rick, reason="shortcut"), transaction.atomic():
            Delegation.objects.filter(pk=lent.pk).update(accepted_at=clock.now())


def test_nobody_lends_what_they_may_not_hold_themselves(rick):
    """She came to both under an exception that is over: nobody decides in her name either."""
    both = person("both", "approver", "cash_receipts", excused=True)
    person("amy", "approver")
    with acting(rick, reason="over"):
        SodException.objects.filter(user=user("both")).update(state="ended")
    with pytest.raises(NotAuthorised, match=r"S\d\d: both would hold both"):
        given(both, "amy")


def test_a_colleague_with_the_same_role_borrows_nothing_new(abe):
    amy = person("amy", "approver")
    assert broken_by_delegation(abe.user_id, amy.user_id) == []
    assert delegations.accept(given(abe, "amy").pk, actor=amy).accepted_at


def test_a_further_role_is_asked_with_what_is_lent(abe):
    """In the other order the delegation would be refused."""
    person("del", "auditor")
    lent = given(abe, "del")
    delegations.accept(lent.pk, actor=Actor.of(user("del")))
    with pytest.raises(NotAuthorised, match=rf"S\d\d: with delegation {lent.pk} del would hold both"):
        give_roles(user("del"), "cash_receipts")
    delegations.revoke(lent.pk, actor=abe, reason="Back")
    give_roles(user("del"), "cash_receipts")
