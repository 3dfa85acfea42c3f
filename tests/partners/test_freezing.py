"""Freezing usage hours: once, whole numbers, nothing lost."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from o2c.actor import Actor, acting
from o2c.errors import Conflict, InvalidInput, NotAuthorised
from partners.models import AwsAgreement, MeteringRecord
from partners.services import agreements, metering
from partners.services.agreements import DimensionInput
from tests.factories.access import make_user
from tests.factories.orders import line, make_customer, make_order
from tests.factories.partners import Shop, hour, identity, make_channel, make_shop, use

pytestmark = pytest.mark.django_db


def quantities(shop: Shop) -> list[tuple[int, Decimal]]:
    rows = MeteringRecord.objects.filter(dimension__agreement=shop.agreement).order_by("hour")
    return [(row.quantity, row.carry_out) for row in rows]


def test_closed_hours_are_frozen_with_zeros_for_silence(shop: Shop) -> None:
    use(shop, hour(1, 0), "1500")
    use(shop, hour(1, 2), "700")

    made = metering.freeze_due(as_of=hour(1, 3, 15), actor=shop.team)

    assert made == 3
    assert quantities(shop) == [(1, Decimal(500)), (0, Decimal(500)), (1, Decimal(200))]


def test_an_hour_within_its_grace_stays_open(shop: Shop) -> None:
    assert metering.freeze_due(as_of=hour(1, 1, 14), actor=shop.team) == 0
    assert metering.freeze_due(as_of=hour(1, 1, 15), actor=shop.team) == 1


def test_a_second_run_freezes_nothing(shop: Shop) -> None:
    use(shop, hour(1, 0), "1500")
    metering.freeze_due(as_of=hour(1, 5), actor=shop.team)

    assert metering.freeze_due(as_of=hour(1, 5), actor=shop.team) == 0


def test_usage_that_arrives_for_a_frozen_hour_goes_out_with_the_next(shop: Shop) -> None:
    use(shop, hour(1, 0), "1500")
    metering.freeze_due(as_of=hour(1, 1, 30), actor=shop.team)

    use(shop, hour(1, 0), "800")
    metering.freeze_due(as_of=hour(1, 2, 30), actor=shop.team)

    last = MeteringRecord.objects.latest("hour")
    assert (last.used, last.late, last.carry_in) == (Decimal(0), Decimal(800), Decimal(500))
    assert (last.quantity, last.carry_out, last.total_used) == (1, Decimal(300), Decimal(2300))


def test_nothing_is_metered_before_the_start_and_after_the_end(shop: Shop) -> None:
    use(shop, hour(31, 23, month=7), "9000")
    use(shop, hour(1, 1), "2000")
    use(shop, hour(1, 4), "7000")
    agreements.end(shop.agreement.pk, actor=shop.team, reason="test", as_of=hour(1, 3))

    metering.freeze_due(as_of=hour(1, 9), actor=shop.team)

    assert [quantity for quantity, _carry in quantities(shop)] == [0, 2, 0]


def test_a_pending_agreement_is_not_metered(team: Actor) -> None:
    make_shop(team, active=False)

    assert metering.freeze_due(as_of=hour(2, 0), actor=team) == 0


def test_a_frozen_hour_cannot_be_changed_or_frozen_twice(shop: Shop) -> None:
    metering.freeze_due(as_of=hour(1, 1, 15), actor=shop.team)
    row = MeteringRecord.objects.get()

    with pytest.raises(Exception, match="permission denied"), acting(shop.team):
        MeteringRecord.objects.filter(pk=row.pk).update(quantity=9)
    again = {f.attname: getattr(row, f.attname) for f in row._meta.concrete_fields}
    for stamped in ("id", "recorded_at", "actor_id"):
        again.pop(stamped, None)
    with pytest.raises(IntegrityError, match="once_per_hour"), acting(shop.team), transaction.atomic():
        MeteringRecord.objects.create(**again)


def test_ten_agreements_cost_the_same_queries_as_one(
    team: Actor, django_assert_max_num_queries: object
) -> None:
    for number in range(1, 4):
        use(make_shop(team, number), hour(1, 0), "2500")

    with django_assert_max_num_queries(16):  # type: ignore[operator]
        assert metering.freeze_due(as_of=hour(2, 0, 15), actor=team) == 72


def test_freezing_needs_its_duty(shop: Shop) -> None:
    stranger = Actor.of(make_user("stranger", "deal_desk"))

    with pytest.raises(NotAuthorised):
        metering.freeze_due(as_of=hour(1, 5), actor=stranger)


def test_an_agreement_belongs_to_an_order_sold_through_aws(team: Actor) -> None:
    order = make_order(team, make_customer(team), [line("TOKENS", timing="arrears")], state="active")

    with pytest.raises(InvalidInput, match="channel 'direct'"):
        agreements.open_agreement(
            order.pk, channel=make_channel(team), identity=identity(), dimensions=[], actor=team
        )


def test_a_dimension_points_at_a_metered_line(team: Actor) -> None:
    order = make_order(
        team,
        make_customer(team),
        [line("SEATS", "3")],
        state="active",
        terms={"channel": "aws", "time_zone": "UTC"},
    )

    with pytest.raises(InvalidInput, match="does not point at a metered line"):
        agreements.open_agreement(
            order.pk,
            channel=make_channel(team),
            identity=identity(),
            dimensions=[DimensionInput("seats", order.lines.get().pk, Decimal(1), Decimal(40))],
            actor=team,
        )


def test_metering_starts_only_when_the_order_is_active(team: Actor) -> None:
    order = make_order(
        team,
        make_customer(team),
        [line("TOKENS", timing="arrears")],
        terms={"channel": "aws", "time_zone": "UTC"},
    )
    agreement = agreements.open_agreement(
        order.pk,
        channel=make_channel(team),
        identity=identity(),
        dimensions=[DimensionInput("tokens_1k", order.lines.get().pk, Decimal(1000), Decimal("0.0025"))],
        actor=team,
    )

    with pytest.raises(Conflict, match="is draft"):
        agreements.activate(agreement.pk, actor=team)


def test_a_changed_licence_is_appended_and_the_old_one_stays(shop: Shop) -> None:
    changed = identity(1, license_arn="arn:aws:license-manager:us-east-1:111122223333:license:l-new")

    assert agreements.append_identity(shop.agreement.pk, changed, source="replacement", actor=shop.team)
    assert agreements.append_identity(shop.agreement.pk, changed, source="again", actor=shop.team) is None

    arns = list(shop.agreement.identities.order_by("pk").values_list("license_arn", flat=True))
    assert [arn[-5:] for arn in arns] == ["00001", "l-new"]
    assert AwsAgreement.objects.get(pk=shop.agreement.pk).number == "US-AWS-2026-000001"
