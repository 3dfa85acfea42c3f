"""Settings of the test run: connects as the owner, who makes the test database, and then steps down.

tests/conftest.py makes every connection assume the app's role once the database is there, so that what
the tests meet is what the product meets.
"""

from __future__ import annotations

import os

os.environ["O2C_DB_ROLE"] = "owner"
os.environ.pop("O2C_DB_POOL_SIZE", None)
os.environ.setdefault("O2C_PROFILE", "local")

from o2c.runtime.embedded import ensure_if_used

ensure_if_used()

from o2c.settings import *  # noqa: E402, F403
from o2c.settings import DATABASES  # noqa: E402

DATABASES["default"]["TEST"] = {"NAME": os.environ.get("O2C_TEST_DB", "test_o2c")}
DATABASES["default"]["CONN_MAX_AGE"] = 0

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
AXES_ENABLED = False
ANCHOR_PLACES = []  # a test that writes anchors says where
