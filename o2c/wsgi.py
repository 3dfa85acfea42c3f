"""The WSGI entry point: `granian --interface wsgi o2c.wsgi:application`."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "o2c.settings")
application = get_wsgi_application()
