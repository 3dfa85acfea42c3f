"""A company with something of everything, and a person who looks at all that is offered to them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin, urlsplit

from django.test import Client
from django.urls import Resolver404, resolve, reverse

from o2c import clock
from o2c.actor import Trace
from o2c.controls import approvals
from o2c.controls.approvals.models import Request
from o2c.controls.approvals.services import deciding, delegations
from o2c.controls.breakglass import services as breakglass
from o2c.controls.selftest.world import World, make
from o2c.controls.sod import denials
from o2c.controls.sod.services import reviews
from o2c.errors import NotAuthorised
from tests.factories.world import make_world

REASON = "Wanted by the customer"
ELSEWHERE = ("/admin/logout/", "/static/", "/api/")
CREDIT, JOURNAL = "billing.credit.post", "ledger.journal.post"
WEEK = dt.timedelta(days=7)


def make_company() -> World:
    """Sold, used, billed, paid, closed; and each act under approval asked for, decided, asked about."""
    make_world()
    world = make()
    asked = {row.act: row for row in Request.objects.filter(act__in=world.subjects, state="open")}
    assert len(asked) > 20
    credit, journal = (world.subjects[code] for code in (CREDIT, JOURNAL))
    deciding.ask(asked[CREDIT].pk, actor=credit.approver, reason="Which contract says so?")
    approvals.approve(asked[JOURNAL].pk, actor=journal.approver, reason="Seen")
    delegations.give(
        delegate=world.user("approver", 2), valid_from=clock.now(), valid_to=clock.now() + WEEK,
        actor=world.person("approver"), reason="On leave",
    )  # fmt: skip
    reviews.open_campaign("2026 Q4", days=14, actor=world.person("admin"), reason=REASON)
    clerk = world.person("order_entry")
    lent = breakglass.request(
        duties=["billing.delivery.retry"], hours=1, ticket="INC-7", actor=clerk, reason="Nobody is there"
    )
    breakglass.authorise(lent.pk, actor=world.person("controller"), reason="Agreed on the telephone")
    denials.record(Trace(clerk, reason=REASON), NotAuthorised("Takes the duty", record="Order 1", code="x"))
    return world


class Reading(HTMLParser):
    """The links that a page offers, and its text as a person reads it: no script, no code, no icon's name."""

    SILENT = frozenset({"script", "style", "code", "pre", "textarea", "template", "option"})
    VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "source", "wbr", "col"})
    ICON = "icon"

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.texts: list[str] = []
        self._within: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "a" and named.get("href"):
            self.links.append(str(named["href"]))
        if named.get("hx-get"):
            self.links.append(str(named["hx-get"]))
        if tag not in self.VOID:
            self._within.append(self.ICON if "material-symbols" in (named.get("class") or "") else tag)

    def handle_endtag(self, tag: str) -> None:
        while self._within and self._within.pop() not in (tag, self.ICON):
            pass

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if text and self.ICON not in self._within and not self.SILENT & set(self._within):
            self.texts.append(text)


@dataclass
class Crawl:
    """Opens one page of every kind that is offered to one person, beginning at home.

    A kind is a view with its record type, act, queue or field. Pages whose right is that of another page
    (`LEANING`) are opened once in all: `opened` is shared by the crawls of several people.
    """

    client: Client
    opened: set[str]
    seen: set[str] = field(default_factory=set)
    pages: dict[str, Reading] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    LEANING = re.compile(r"_(?:history|as_of|timeline|why|act|list_act|simple_history) |\?edit")

    def run(self) -> None:
        waiting = [(reverse("admin:index"), "nobody")]
        while waiting:
            address, offered_by = waiting.pop(0)
            kind = kind_of(address)
            if kind in (self.opened if self.LEANING.search(kind) else self.seen):
                continue
            self.seen.add(kind)
            self.opened.add(kind)
            waiting += [(link, address) for link in self._open(address, offered_by)]

    def _open(self, address: str, offered_by: str) -> Iterator[str]:
        answer = self.client.get(address, follow=True)
        if answer.status_code != 200:
            self.wrong.append(f"{address}, offered by {offered_by}, answers {answer.status_code}")
            return
        if not answer.headers.get("Content-Type", "").startswith("text/html"):
            return
        page = Reading(b"".join(answer).decode())
        self.pages[address] = page
        here = answer.redirect_chain[-1][0] if answer.redirect_chain else address
        for href in page.links:
            link = urldefrag(urljoin(here, href)).url
            if link.startswith("/") and not link.startswith(ELSEWHERE):
                yield link


def kind_of(address: str) -> str:
    """'admin:orders_order_change', with what of the address says more than which record."""
    parts = urlsplit(address)
    try:
        match = resolve(parts.path)
    except Resolver404:
        return f"nowhere {parts.path}"
    which = [match.kwargs[name] for name in ("act_name", "code", "field") if name in match.kwargs]
    return f"{match.view_name} {' '.join(which)}{'?edit' if 'edit=' in parts.query else ''}"


# Words joined as programs join them: a code where a word is expected.
CODE = re.compile(r"(?<![\w./@:-])[a-z][a-z0-9]*(?:_[a-z0-9]+)+(?![\w./@-])")


def codes_on(page: Reading) -> set[str]:
    return {code for text in page.texts for code in CODE.findall(text)}
