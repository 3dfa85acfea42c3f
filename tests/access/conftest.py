from __future__ import annotations

from collections.abc import Callable

import pytest

from o2c.access.models import User
from tests.factories.access import make_user


@pytest.fixture
def person(db: None) -> Callable[..., User]:
    """person("anna", "billing_ops") → a human who holds that role."""
    return make_user
