"""Usage files: CSV and JSON lines, whole blocks, and again without effect."""

from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path

import pytest

from billing.importers import event_files
from billing.models import UsageBatch, UsageEvent, UsageException, UsageHour
from billing.services import files, rollups
from o2c.actor import Actor
from o2c.errors import InvalidInput
from orders.models import Customer, OrderLine
from tests.billing.metering.conftest import NOW

HEADER = "event_id,customer,meter,time,quantity,model,kind\n"


def csv_file(path: Path, customer: Customer, *lines: str) -> Path:
    file = path / "usage.csv"
    file.write_text(HEADER + "".join(line.replace("@", customer.number) + "\n" for line in lines))
    return file


@pytest.mark.django_db
def test_a_csv_becomes_events_with_its_own_dimensions(
    team: Actor, customer: Customer, tokens: OrderLine, tmp_path: Path
) -> None:
    file = csv_file(
        tmp_path,
        customer,
        "a,@,tokens,2026-08-03T10:00:00Z,100,gpt-4o,input",
        "b,@,tokens,2026-08-03T10:30:00Z,50.5,gpt-4o,input",
        "c,@,tokens,2026-08-03T10:30:00Z,7,gpt-4o,",
    )

    done = files.import_file(file, "export", actor=team, as_of=NOW)

    assert (done.received, done.accepted, done.parked) == (3, 3, 0)
    totals = UsageHour.objects.order_by("dimensions__key").values_list("dimensions__values", "quantity")
    assert list(totals) == [
        ({"model": "gpt-4o", "kind": "input"}, Decimal("150.5")),
        ({"model": "gpt-4o"}, Decimal("7")),
    ]
    batch = UsageBatch.objects.get()
    assert (batch.channel, batch.file_name, len(batch.file_sha256)) == ("file", "usage.csv", 64)


@pytest.mark.django_db
def test_importing_a_file_again_changes_nothing(
    team: Actor, customer: Customer, tokens: OrderLine, tmp_path: Path
) -> None:
    file = csv_file(
        tmp_path,
        customer,
        "a,@,tokens,2026-08-03T10:00:00Z,100,gpt-4o,input",
        "b,C-404404,tokens,2026-08-03T10:00:00Z,100,gpt-4o,input",
    )
    files.import_file(file, "export", actor=team, as_of=NOW)

    again = files.import_file(file, "export", actor=team, as_of=NOW)

    assert (again.received, again.accepted, again.duplicate, again.parked) == (2, 0, 2, 0)
    assert (UsageEvent.objects.count(), UsageException.objects.count()) == (1, 1)
    assert rollups.verify() == []


@pytest.mark.django_db
def test_lines_that_are_no_events_are_parked_as_they_are(
    team: Actor, customer: Customer, tokens: OrderLine, tmp_path: Path
) -> None:
    file = csv_file(
        tmp_path,
        customer,
        "a,@,tokens,2026-08-03T10:00:00Z,100,gpt-4o,input",
        "b,@,tokens,2026-08-03T10:00:00Z",
        "c,@,tokens,2026-08-03T10:00:00Z,1,gpt-4o,input,too,many",
        "d,@,tokens,sometime,1,gpt-4o,input",
    )

    done = files.import_file(file, "export", actor=team, as_of=NOW)

    assert (done.received, done.accepted, done.parked) == (4, 1, 3)
    raws = [row.raw for row in UsageException.objects.order_by("pk")]
    assert {"line": f"b,{customer.number},tokens,2026-08-03T10:00:00Z"} in raws
    (unread,) = [raw for raw in raws if raw.get("id") == "d"]
    assert unread["dimensions"] == '{"model": "gpt-4o", "kind": "input"}'


@pytest.mark.django_db
def test_json_lines(team: Actor, customer: Customer, tokens: OrderLine, tmp_path: Path) -> None:
    file = tmp_path / "usage.jsonl"
    good = '{"id": "%s", "customer": "%s", "meter": "tokens", "time": "2026-08-03T10:00:00Z", "quantity": %s}'
    file.write_text(
        "\n".join(
            [
                good % ("a", customer.number, "0.1"),
                good % ("b", customer.number, '"2"'),
                "",
                '["no", "event"]',
                '{"id": "c", broken',
                'tab\there "quoted" \\back',
            ]
        )
    )

    done = files.import_file(file, "export", actor=team, as_of=NOW)

    assert (done.received, done.accepted, done.parked) == (5, 2, 3)
    assert UsageHour.objects.get().quantity == Decimal("2.1")
    assert UsageException.objects.filter(raw__line='tab\there "quoted" \\back').exists()


@pytest.mark.django_db
def test_customer_and_meter_may_be_given_beside_the_file(
    team: Actor, customer: Customer, tokens: OrderLine, tmp_path: Path
) -> None:
    file = tmp_path / "usage.csv"
    file.write_text("id,time,value\nx,2026-08-03T10:00:00Z,5\ny,2026-08-03T10:00:00Z,6\n")

    done = files.import_file(file, "export", actor=team, as_of=NOW, customer=customer.number, meter="tokens")

    assert done.accepted == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("event_id,customer,meter,quantity\n", "has no column for occurred"),
        ("id,event_id,customer,meter,time,quantity\n", "two columns for the same"),
        ("id,customer,meter,time,quantity,a,b,c,d,e,f,g,h,i\n", "More than 8 columns"),
    ],
)
def test_a_header_that_says_too_little_is_refused(
    team: Actor, tokens: OrderLine, tmp_path: Path, header: str, message: str
) -> None:
    file = tmp_path / "usage.csv"
    file.write_text(header)

    with pytest.raises(InvalidInput, match=message):
        files.import_file(file, "export", actor=team)


@pytest.mark.django_db(transaction=True)
def test_several_connections_store_the_same_as_one(
    team: Actor, customer: Customer, tokens: OrderLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of a few lines, so that many run at once on the same hours."""
    monkeypatch.setattr(event_files, "blocks", _small_blocks)
    lines = [f"e{n % 190},@,tokens,2026-08-03T{n % 5:02}:00:00Z,{1 + n % 190},gpt-4o," for n in range(200)]
    file = csv_file(tmp_path, customer, *lines)

    done = files.import_file(file, "export", actor=team, as_of=NOW, workers=4)

    assert (done.received, done.accepted, done.duplicate) == (200, 190, 10)
    assert UsageEvent.objects.count() == 190
    assert rollups.verify() == []


def _small_blocks(file: io.BufferedReader, *, quoted: bool) -> object:
    return (b"".join(group) for group in zip(*[iter(file)] * 10, strict=True))


def test_blocks_end_with_lines_and_never_inside_of_quotes() -> None:
    data = b'a,"x\ny"\nb,c\n"d\ne",f\n'

    for size in range(1, len(data) + 1):
        found = list(event_files.blocks(io.BytesIO(data), size))
        assert b"".join(found) == data
        assert all(block.endswith(b"\n") and block.count(b'"') % 2 == 0 for block in found)
