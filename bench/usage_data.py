"""Usage to measure with: 300 customers with a metered contract each, and files of their events."""

from __future__ import annotations

import bisect
import datetime as dt
import itertools
import json
import random
import uuid
from pathlib import Path
from typing import Any

CUSTOMERS = 300
MODELS = ("gpt-4o", "claude-sonnet", "mini")
KINDS = ("input", "cached_input", "output")
START = dt.datetime(2026, 8, 3, tzinfo=dt.UTC)
DAYS = 7
HEADER = "event_id,customer,meter,time,quantity,model,kind\n"
SEED = 20260803


def lay_out() -> tuple[Any, list[str]]:
    """Customers with an active order for tokens; the actor who may send usage, and the customer numbers."""
    from orders.services import catalogue
    from tests.factories.orders import line, make_catalogue, make_customer, make_order, orders_team

    actor = orders_team("bench-usage", "billing.usage.ingest")
    make_catalogue(actor)
    catalogue.save_meter("tokens", dimensions=["model", "kind"], actor=actor)
    numbers = []
    for n in range(CUSTOMERS):
        customer = make_customer(actor, f"Customer {n}")
        make_order(actor, customer, [line("TOKENS")], state="active")
        numbers.append(customer.number)
    return actor, numbers


def token() -> str:
    """The secret of a token that may send usage."""
    from tests.factories.access import make_account, make_token

    return make_token(make_account("bench-gateway", "metering"), ["billing.usage.ingest"])


def events(numbers: list[str], count: int, *, seed: int = SEED) -> list[tuple[str, str, str, int, str, str]]:
    """(id, customer, time, quantity, model, kind), in the order of time: a week with daily rhythm, few large
    customers and many small ones, each mostly on one model; ids are random, the worst case for an index.
    """
    choose = random.Random(seed)
    weights = list(itertools.accumulate(1 / (n + 1) ** 0.8 for n in range(len(numbers))))
    moments = []
    while len(moments) < count:
        second = choose.randrange(DAYS * 86400)
        busy = 1.0 if 8 <= second // 3600 % 24 < 20 else 0.35
        if choose.random() < busy:
            moments.append(second)
    rows = []
    for second in sorted(moments):
        customer = bisect.bisect(weights, choose.random() * weights[-1])
        model = MODELS[customer % 3] if choose.random() < 0.9 else choose.choice(MODELS)
        time = (START + dt.timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")
        id = str(uuid.UUID(int=choose.getrandbits(128), version=4))
        rows.append((id, numbers[customer], time, choose.randrange(1, 9000), model, choose.choice(KINDS)))
    return rows


def write_csv(path: Path, rows: list[tuple[str, str, str, int, str, str]]) -> None:
    with path.open("w") as file:
        file.write(HEADER)
        for id, customer, time, quantity, model, kind in rows:
            file.write(f"{id},{customer},tokens,{time},{quantity},{model},{kind}\n")


def bodies(rows: list[tuple[str, str, str, int, str, str]], size: int = 1000) -> list[bytes]:
    """The same events as bodies of API calls of `size` events."""
    return [
        json.dumps(
            {
                "source": "bench",
                "events": [
                    {
                        "id": id,
                        "customer": customer,
                        "meter": "tokens",
                        "time": time,
                        "quantity": quantity,
                        "dimensions": {"model": model, "kind": kind},
                    }
                    for id, customer, time, quantity, model, kind in rows[start : start + size]
                ],
            },
            separators=(",", ":"),
        ).encode()
        for start in range(0, len(rows), size)
    ]
