"""Files and jobs of billing for the self-test: usage, tax rates, price lists, the two long acts of a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from billing.services import metering, price_lists
from o2c.access.models import User
from o2c.actor import Actor
from o2c.controls.selftest.attempts import Attempt, by_code
from o2c.controls.selftest.ways import COMMAND, IMPORT, Way, file, importer, job, run_command
from o2c.controls.selftest.world import REASON, World, as_superuser
from o2c.errors import Conflict
from orders.models import Price

RATES = "country,region,category,name,rate,effective_from,effective_to,source\n"
EVENTS = "id,time,customer\n"
CATALOGUE, ACTIVATES = "orders.catalogue.maintain", "orders.price.activate"
TAX = "billing.tax.maintain"
MODEL = "zt-selftest"


def _prices(cost: str) -> str:
    """A price list whose one price is the number `cost`, digit for digit."""
    return f'{{"{MODEL}": {{"litellm_provider": "zt", "input_cost_per_token": {cost}}}}}'


def build(world: World) -> None:
    run = world.records["run"].pk
    maker, checker = world.person("billing_ops"), world.person("controller")
    with file(_prices("0.01"), ".json") as path:
        price_lists.import_file(
            path, effective_from=world.month, actor=maker, activator=checker, reason=REASON
        )
    day = world.month.replace(day=2)
    priced: dict[str, Any] = {"effective_from": day, "activator": checker}
    cheap = _prices("0.005")
    world.ways += [
        job("billing.run.calculate", "billing.run.calculate", run_id=run),
        job("billing.run.post", "billing.run.post", run_id=run),
        importer(
            "billing.services.files.import_file", metering.INGEST, EVENTS, ".csv", "zt-selftest",
            customer="-", meter="-",
        ),
        importer("billing.services.tax.load", TAX, RATES, ".csv"),
        importer("billing.services.price_lists.import_file", CATALOGUE, cheap, ".json", **priced),
        _by_command("load_tax_rates", TAX, RATES, ".csv"),
        _by_command("import_prices", CATALOGUE, cheap, ".json", "--approved-by", checker.label),
    ]  # fmt: skip
    world.more += [*_alone(world), _cheaper(world)]


def _by_command(name: str, duty: str, content: str, suffix: str, *arguments: str) -> Way:
    def ask(person: User) -> None:
        with file(content, suffix) as path:
            run_command(name, str(path), "--as", person.username, *arguments)

    return Way(COMMAND, name, duty, ask)


def _alone(world: World) -> Iterator[Attempt]:
    """Who drafts prices names themselves as whoever makes them valid, which takes another duty."""
    maker = User.objects.get(pk=world.person("billing_ops").user_id)
    content = _prices("0.0101")

    def by_file() -> object:
        with file(content, ".json") as path:
            who, day = Actor.of(maker), world.month.replace(day=2)
            return price_lists.import_file(path, effective_from=day, actor=who, activator=who)

    def by_command() -> object:
        both = ("--approved-by", maker.username)
        return _by_command("import_prices", CATALOGUE, content, ".json", *both).ask(maker)

    for door, do in ((IMPORT, by_file), (COMMAND, by_command)):
        for who, tried in (("maker", do), ("staff superuser", as_superuser(maker, do))):
            yield Attempt(
                f"duty {ACTIVATES}", "a price list of one person", door, who, tried,
                by_code("duty_missing"), duty=ACTIVATES,
            )  # fmt: skip


def _cheaper(world: World) -> Attempt:
    """A list with a price far below the one before: it waits for approval."""
    maker, checker = world.person("billing_ops"), world.person("controller")

    def do() -> None:
        with file(_prices("0.001"), ".json") as path:
            day = world.month.replace(day=3)
            price_lists.import_file(path, effective_from=day, actor=maker, activator=checker)
        price = Price.objects.get(sku__code=f"zt/{MODEL}:input", effective_from=day)
        if price.state == Price.State.DRAFT:
            raise Conflict("It waits for approval", code="approval_required")

    return Attempt(
        "approval orders.price.activate", "a price list with a price far below the one before", IMPORT,
        "role holder", do, by_code("approval_required"), table="orders_price",
    )  # fmt: skip
