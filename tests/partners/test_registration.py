"""The buyer's first visit to our fulfilment page."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from o2c.access.services.accounts import ensure_system_accounts
from o2c.actor import Actor
from o2c.errors import Conflict
from partners.aws.fake import Buyer
from partners.models import Registration
from partners.services import registration
from partners.services.agreements import IdentityTuple, append_identity
from tests.factories.partners import (
    PRODUCT_CODE,
    STARTED,
    Aws,
    Shop,
    fake_aws,
    licence,
    make_channel,
    make_shop,
)

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESS = "/marketplace/aws/register"


@pytest.fixture
def aws(live_team: Actor, settings: Any) -> Iterator[Aws]:
    ensure_system_accounts(actor=Actor.installer())
    make_channel(live_team)
    with fake_aws() as running:
        running.set_clock(STARTED)
        settings.AWS_ENDPOINT_URL = running.server.url
        yield running


def come(aws: Aws, buyer: Buyer) -> Any:
    """The buyer's browser posts the token it was given."""
    token = aws.server.metering.subscribe(buyer)
    return Client(enforce_csrf_checks=True).post(ADDRESS, {"x-amzn-marketplace-token": token})


def test_a_buyer_whose_agreement_waits_is_linked_at_once(aws: Aws, live_team: Actor) -> None:
    shop = make_shop(live_team, active=False)
    known = shop.buyer
    replaced = Buyer(**{**vars_of(known), "license_arn": licence(77)})

    answer = come(aws, replaced)

    assert answer.status_code == 200
    assert "registration is complete" in answer.content.decode()
    row = Registration.objects.get()
    assert (row.state, row.agreement_id) == ("claimed", shop.agreement.pk)
    newest = shop.agreement.identities.latest("pk")
    assert (newest.license_arn, newest.source) == (licence(77), "registration")


def vars_of(buyer: Buyer) -> dict[str, str]:
    return {name: getattr(buyer, name) for name in Buyer.__dataclass_fields__}


def test_a_stranger_is_kept_until_somebody_claims_them(aws: Aws, live_team: Actor) -> None:
    answer = come(aws, stranger())
    row = Registration.objects.get()
    assert (answer.status_code, row.state) == (200, "unclaimed")
    assert "within one business day" in answer.content.decode()

    shop = make_shop(live_team, active=False)
    registration.claim(row.pk, shop.agreement.pk, actor=live_team)

    row.refresh_from_db()
    assert row.agreement == shop.agreement
    assert shop.agreement.identities.latest("pk").aws_account_id == "999999999999"
    with pytest.raises(Conflict):
        registration.claim(row.pk, shop.agreement.pk, actor=live_team)


def stranger(product: str = PRODUCT_CODE) -> Buyer:
    return Buyer(
        "other", "999999999999", licence(99), product, "prod-9", "agmt-9", "offer-9", STARTED.isoformat()
    )


def test_a_buyer_of_another_product_cannot_be_claimed(aws: Aws, live_team: Actor) -> None:
    come(aws, stranger("another-product"))
    shop = make_shop(live_team, active=False)

    with pytest.raises(Conflict, match="registered for product another-product"):
        registration.claim(Registration.objects.get().pk, shop.agreement.pk, actor=live_team)


def test_the_same_token_twice_is_one_registration(aws: Aws, live_team: Actor) -> None:
    token = aws.server.metering.subscribe(stranger())
    for _ in range(2):
        assert Client().post(ADDRESS, {"x-amzn-marketplace-token": token}).status_code == 200

    assert Registration.objects.count() == 1
    assert token not in str(Registration.objects.values().get())


@pytest.mark.parametrize("token", ["nonsense", "", "x" * 5000])
def test_a_token_that_aws_does_not_know_says_what_to_do(aws: Aws, token: str) -> None:
    answer = Client().post(ADDRESS, {"x-amzn-marketplace-token": token})

    assert answer.status_code == 422
    assert "Set up your account" in answer.content.decode()
    assert not Registration.objects.exists()


def test_an_expired_token_is_refused(aws: Aws, live_team: Actor) -> None:
    token = aws.server.metering.subscribe(stranger())
    aws.set_clock(STARTED.replace(hour=5))

    assert Client().post(ADDRESS, {"x-amzn-marketplace-token": token}).status_code == 422


def test_the_page_takes_posts_only(aws: Aws) -> None:
    assert Client().get(ADDRESS).status_code == 405


def test_two_agreements_that_could_be_meant_are_left_to_a_person(aws: Aws, live_team: Actor) -> None:
    shops: list[Shop] = [make_shop(live_team, number, active=False) for number in (1, 2)]
    for shop in shops:
        same = IdentityTuple(product_code=PRODUCT_CODE, aws_account_id="555555555555")
        append_identity(shop.agreement.pk, same, source="test", actor=live_team)

    come(aws, Buyer("c", "555555555555", licence(5), PRODUCT_CODE, "p", "agmt-new", "o", STARTED.isoformat()))

    assert Registration.objects.get().state == "unclaimed"
