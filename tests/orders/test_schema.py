import pytest
from django.db import connection

pytestmark = pytest.mark.django_db


def test_tables_exist() -> None:
    assert "orders_order" in connection.introspection.table_names()
