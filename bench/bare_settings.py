"""The product's settings without its middleware: for the bare view that ingestion is compared with."""

from o2c.settings import *  # noqa: F403

MIDDLEWARE: list[str] = []
ROOT_URLCONF = "bench.bare_view"
WSGI_APPLICATION = "bench.bare_view.application"
