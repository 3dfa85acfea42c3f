"""Fixtures of the partners tests."""

from collections.abc import Callable, Iterator

import pytest

from o2c.actor import Actor
from tests.factories.partners import Aws, Shop, fake_aws, make_shop, partner_team


@pytest.fixture
def team(db: None) -> Actor:
    return partner_team()


@pytest.fixture
def shop(team: Actor) -> Shop:
    return make_shop(team)


@pytest.fixture
def live_team(transactional_db: None) -> Actor:
    """The team where real transactions are needed: AWS is never called inside one."""
    return partner_team()


@pytest.fixture
def live_shop(live_team: Actor) -> Shop:
    return make_shop(live_team)


@pytest.fixture
def aws(live_shop: Shop) -> Iterator[Aws]:
    with fake_aws(live_shop) as running:
        yield running


@pytest.fixture
def add_shop(live_team: Actor) -> Callable[[int], Shop]:
    return lambda number: make_shop(live_team, number)
