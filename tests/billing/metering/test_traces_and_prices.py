"""Traces of requests become usage events; public price lists become exact prices per token."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import pytest

from billing.importers import price_lists, traces
from billing.services import price_lists as importing
from o2c.actor import Actor
from o2c.controls import approvals
from o2c.controls.approvals.models import Request
from o2c.errors import InvalidInput
from orders.models import Price, Sku
from tests.factories.access import make_user

START = dt.datetime(2026, 8, 4, 15, tzinfo=dt.UTC)


def test_an_azure_trace_is_moved_to_its_start_and_keeps_its_rhythm(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2023-11-16 18:17:03.9799600,4808,10\n"
        "2023-11-16 18:17:04.0319600,3180,0\n"
    )

    events = list(traces.events(file, "azure_llm", customer="C-1", model="openai/gpt-4o", starts_at=START))

    assert [(e["meter"], e["key"], e["quantity"]) for e in events] == [
        ("llm.input", "openai/gpt-4o:input", "4808"),
        ("llm.output", "openai/gpt-4o:output", "10"),
        ("llm.input", "openai/gpt-4o:input", "3180"),
    ]
    assert events[0]["time"] == START.isoformat()
    assert events[2]["time"] == (START + dt.timedelta(microseconds=52000)).isoformat()
    again = list(traces.events(file, "azure_llm", customer="C-1", model="openai/gpt-4o", starts_at=START))
    assert [e["id"] for e in again] == [e["id"] for e in events]


def test_a_prompt_that_begins_like_an_earlier_one_was_read_from_the_cache(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    rows = [
        {"timestamp": 0, "input_length": 1500, "output_length": 5, "hash_ids": [0, 1, 2]},
        {"timestamp": 2000, "input_length": 1400, "output_length": 7, "hash_ids": [0, 1, 9]},
        {"timestamp": 3000, "input_length": 600, "output_length": 1, "hash_ids": [8, 1]},
    ]
    file.write_text("\n".join(map(json.dumps, rows)))

    found = list(traces.requests(file, "mooncake", starts_at=START))

    assert [(r.prompt, r.cached, r.output) for r in found] == [(1500, 0, 5), (1400, 1024, 7), (600, 0, 1)]
    assert found[1].at == START + dt.timedelta(seconds=2)


def test_a_row_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,12,3\nsoon,1,1\n")

    with pytest.raises(InvalidInput, match="after row 1 cannot be read"):
        list(traces.events(file, "azure_llm", customer="C-1", model="m", starts_at=None))


GENAI = [
    {
        "id": "acme",
        "models": [
            {"id": "big", "prices": {"input_mtok": 2.5, "cache_read_mtok": 0.075, "output_mtok": 10}},
            {"id": "long", "prices": {"input_mtok": {"base": 5, "tiers": [{"start": 9, "price": 10}]}}},
            {
                "id": "dated",
                "prices": [
                    {"prices": {"input_mtok": 1}},
                    {"constraint": {"start_date": "2026-09-01"}, "prices": {"input_mtok": 0.8}},
                ],
            },
        ],
    }
]


def test_prices_a_million_tokens_are_exact_prices_a_token() -> None:
    found = price_lists.read(json.dumps(GENAI))

    assert {(p.model, p.kind): p.unit_amount for p in found.prices if p.since is None} == {
        ("big", "input"): Decimal("0.0000025"),
        ("big", "cached"): Decimal("0.000000075"),
        ("big", "output"): Decimal("0.00001"),
        ("dated", "input"): Decimal("0.000001"),
    }
    assert found.left_out == [("acme/long", "input_mtok depends on the length of the request")]


def test_the_other_format_is_read_too() -> None:
    listed = {
        "m": {"litellm_provider": "acme", "input_cost_per_token": 3e-05, "output_cost_per_token": 6e-05},
        "by-length": {
            "litellm_provider": "acme",
            "input_cost_per_token": 1e-06,
            "input_cost_per_token_above_128k_tokens": 2e-06,
        },
    }

    found = price_lists.read(json.dumps(listed))

    assert {(p.model, p.kind, p.unit_amount) for p in found.prices} == {
        ("m", "input", Decimal("0.00003")),
        ("m", "output", Decimal("0.00006")),
    }
    assert ("by-length", "its price depends on the length of the request") in found.left_out


def test_something_else_is_no_price_list() -> None:
    with pytest.raises(InvalidInput, match="no price list"):
        price_lists.read("[1, 2]")


@pytest.mark.django_db
def test_a_list_becomes_skus_with_dated_prices_and_twice_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text(json.dumps(GENAI))
    maker, checker = Actor.of(make_user("bea", "billing_ops")), Actor.of(make_user("carla", "controller"))
    anton = make_user("anton", "approver")
    since = dt.date(2026, 1, 1)

    first = importing.import_file(file, effective_from=since, actor=maker, activator=checker)
    second = importing.import_file(file, effective_from=since, actor=maker, activator=checker)

    assert (first.skus, first.prices, first.waiting) == (4, 5, 1)
    assert (second.skus, second.prices, second.same) == (0, 0, 5)
    lower = Request.objects.get()
    approvals.approve(lower.pk, actor=Actor.of(anton), reason="As announced")
    dated = Price.objects.filter(sku__code="acme/dated:input").order_by("effective_from")
    assert [(p.effective_from, p.effective_to, p.spec["unit_amount"]) for p in dated] == [
        (dt.date(2026, 1, 1), dt.date(2026, 9, 1), "0.000001"),
        (dt.date(2026, 9, 1), None, "0.0000008"),
    ]
    assert Sku.objects.get(code="acme/big:cached").meter.code == "llm.cached"  # type: ignore[union-attr]


@pytest.mark.django_db
def test_a_changed_price_is_a_new_version(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    maker, checker = Actor.of(make_user("bea", "billing_ops")), Actor.of(make_user("carla", "controller"))
    for amount, day in ((3, dt.date(2026, 1, 1)), (4, dt.date(2026, 10, 1))):
        file.write_text(json.dumps([{"id": "a", "models": [{"id": "m", "prices": {"input_mtok": amount}}]}]))
        importing.import_file(file, effective_from=day, actor=maker, activator=checker)

    prices = Price.objects.filter(sku__code="a/m:input").order_by("version")
    assert [(p.version, p.spec["unit_amount"], p.effective_to) for p in prices] == [
        (1, "0.000003", dt.date(2026, 10, 1)),
        (2, "0.000004", None),
    ]
