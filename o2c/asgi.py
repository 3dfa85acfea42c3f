"""The ASGI entry point, for servers that speak nothing else. The product itself is synchronous."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "o2c.settings")
application = get_asgi_application()
