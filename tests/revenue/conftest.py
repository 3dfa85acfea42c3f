"""What the tests of revenue share."""

from __future__ import annotations

import pytest

from tests.factories.orders import make_catalogue, make_customer
from tests.factories.revenue import Books, make_books


@pytest.fixture
def books(db: None) -> Books:
    """The US entity with open months, a team, a catalogue."""
    found = make_books("US")
    make_catalogue(found.team)
    return found


@pytest.fixture
def customer(books: Books):
    return make_customer(books.team)
