"""Where the metering service is: AWS itself, or the stand-in on this machine."""

import threading
from functools import cache
from pathlib import Path

from django.conf import settings
from django.db import connection

from o2c.runtime import home
from partners.aws.client import BotoMetering, Metering
from partners.aws.fake_server import FakeServer


def journal_path() -> Path:
    """Where the stand-in remembers what it metered: one file per database of this checkout."""
    return home.home() / "aws" / f"{connection.settings_dict['NAME']}.jsonl"


@cache
def _stand_in(journal: Path) -> str:
    """The address of a stand-in in this process; those of all processes share one memory."""
    server = FakeServer(journal=journal)
    threading.Thread(target=server.serve_forever, daemon=True, name="aws stand-in").start()
    return server.url


def connect() -> Metering:
    """The configured service. A laptop talks to a stand-in, unless O2C_AWS_ENDPOINT_URL names an endpoint.

    In production an empty endpoint is AWS itself, with the role that boto3 finds.
    """
    endpoint, region = settings.AWS_ENDPOINT_URL, settings.AWS_MARKETPLACE_REGION
    if settings.PRODUCTION:
        return BotoMetering(endpoint_url=endpoint, region=region)
    return BotoMetering(endpoint_url=endpoint or _stand_in(journal_path()), region=region, stand_in=True)
