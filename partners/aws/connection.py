"""Where the metering service is: AWS itself, or the stand-in on this machine."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from o2c.runtime import home
from partners.aws.client import BotoMetering, Metering, Unreachable

STAND_IN_FILE = "fake_aws.json"


def journal_path() -> Path:
    """Where the stand-in remembers what it metered: one file per database of this checkout."""
    return home.home() / "aws" / f"{connection.settings_dict['NAME']}.jsonl"


def stand_in_url() -> str:
    """The address that `manage.py fake_aws` recorded in this checkout's state; empty when it never ran."""
    recorded: dict[str, Any] = home.read_json(home.home() / STAND_IN_FILE)
    return str(recorded.get("url", ""))


def record_stand_in(url: str) -> None:
    home.write_json(home.make_home() / STAND_IN_FILE, {"url": url})


def connect() -> Metering:
    """The configured service. A laptop talks to its stand-in only. Raises Unreachable when it has none.

    O2C_AWS_ENDPOINT_URL names another endpoint; in production, empty means AWS itself.
    """
    endpoint, region = settings.AWS_ENDPOINT_URL, settings.AWS_MARKETPLACE_REGION
    if settings.PRODUCTION:
        return BotoMetering(endpoint_url=endpoint, region=region)
    endpoint = endpoint or stand_in_url()
    if not endpoint:
        raise Unreachable("No stand-in of AWS runs here", remedy="Start it with manage.py fake_aws")
    return BotoMetering(endpoint_url=endpoint, region=region, stand_in=True)
