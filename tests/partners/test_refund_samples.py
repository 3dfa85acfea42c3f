"""AWS's own samples of its billing adjustment tool, when their directory is given."""

from __future__ import annotations

import csv
import datetime as dt
import os
from decimal import Decimal
from pathlib import Path

import pytest

from partners.domain import refund_file

D = Decimal
SAMPLES = Path(os.environ.get("O2C_SAMPLE_DATA", "/nonexistent")) / "aws_marketplace"


@pytest.mark.skipif(not SAMPLES.exists(), reason="AWS's samples are not here")
def test_the_documented_samples_are_written_and_read() -> None:
    sample = (SAMPLES / "billing_adjustment_tool_sample_input.csv").read_text().splitlines()
    assert sample[0] == ",".join(refund_file.COLUMNS)
    rows = [
        refund_file.Asked(seller, account, invoice, product, dt.datetime.strptime(month, "%y-%b").date(),
                          D(amount.strip().strip('"').strip().lstrip("$").replace(",", "")), agreement)
        for seller, account, invoice, product, month, amount, agreement in (
            _fields(line) for line in sample[1:] if line.strip()
        )
    ]  # fmt: skip
    written = refund_file.request(rows).splitlines()
    assert written == [line.replace(' "', '"').replace(" ,", ",") for line in sample if line.strip()]

    read = refund_file.answers((SAMPLES / "billing_adjustment_tool_sample_output.csv").read_text())
    assert [one.status for one in read] == ["COMPLETED"] * 5 + ["VALIDATION_FAILED"]
    assert (read[1].amount, read[1].request_id) == (D("1200.00"), "ba-2222bbbb3333cccc4444dddd")


def _fields(line: str) -> list[str]:
    return next(csv.reader([line]))
