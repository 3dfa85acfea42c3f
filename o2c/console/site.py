"""The admin site of the product: home, queues, search and checks beside the records."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from unfold.dataclasses import SearchResult
from unfold.sites import UnfoldAdminSite

from o2c.actor import acting
from o2c.console import find, home, invariant_pages, queues
from o2c.console.permissions import actor, roles


class ConsoleSite(UnfoldAdminSite):
    """People with a role come in; what they see inside follows from their duties."""

    index_template = "console/home.html"
    enable_nav_sidebar = True

    def extra_urls(self) -> list[URLPattern]:
        view = self.admin_view
        return [
            path("figures/", view(home.figures), name="figures"),
            path("find/", view(find.find_page), name="find"),
            path("queues/<str:code>/", view(queues.queue_page), name="queue"),
            path("checks/", view(invariant_pages.overview), name="checks"),
            path("checks/run/", view(invariant_pages.run), name="checks_run"),
            path("checks/<str:code>/", view(invariant_pages.one), name="check"),
        ]

    def has_permission(self, request: HttpRequest) -> bool:
        """Staff who hold a role. A person without any sees the sign-in page, not an empty console."""
        user = request.user
        return bool(user.is_active and user.is_authenticated and user.is_staff) and bool(roles(user))

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        context = {**self.each_context(request), **home.context_for(request), **(extra_context or {})}
        request.current_app = self.name  # type: ignore[attr-defined]
        return TemplateResponse(request, self.index_template, context)

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """As oneself: a person is a controlled row, and its change needs an actor."""
        with acting(actor(request), reason="own password"):
            return super().password_change(request, extra_context)

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The command palette and the sidebar's search box: records first, then pages of the sidebar.

        Unfold keeps results for five minutes; a record that was just made must be found at once, so
        nothing is kept.
        """
        words = request.GET.get("s", "").strip()
        if not words:
            return HttpResponse()
        results = self._records(request, words) if "extended" in request.GET else []
        results += self._pages(request, words.lower())
        page = Paginator(results, 100)
        template = (
            "unfold/helpers/command_results.html"
            if "extended" in request.GET
            else ("unfold/helpers/search_results.html")
        )
        context = {
            "page_obj": page,
            "results": page.page(1),
            "page_counter": 0,
            "execution_time": 0,
            "command_show_history": False,
        }
        return TemplateResponse(request, template, context, headers={"HX-Trigger": "search"})

    @staticmethod
    def _records(request: HttpRequest, words: str) -> list[SearchResult]:
        return [
            SearchResult(
                title=str(hit.obj), description=f"{hit.kind} {hit.note}".strip(), link=hit.href, icon=hit.icon
            )
            for hit in find.search(request, words)
        ]

    def _pages(self, request: HttpRequest, words: str) -> list[SearchResult]:
        return [
            SearchResult(
                title=item["title"],
                description=group["title"] or "Console",
                link=item["link"],
                icon=item["icon"],
            )
            for group in self.get_sidebar_list(request)
            for item in group["items"]
            if words in str(item["title"]).lower()
        ]
