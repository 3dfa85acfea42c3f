"""Stored files, by the hash of their content."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.http import content_disposition_header
from django.utils.safestring import SafeString

from o2c.console import Fact, RecordAdmin
from o2c.console.object_page import find
from o2c.console.permissions import may_open
from o2c.documents.models import Document

# What a browser may show itself; anything else (and anything that could run) is downloaded.
INLINE = {"application/pdf", "image/png", "image/jpeg", "text/plain"}


@admin.register(Document)
class DocumentAdmin(RecordAdmin):
    """Invoices, statements, exports: bytes that are what their hash says."""

    area, icon, nav_position = "Controls & audit", "description", 70
    list_display = ["name", "media_type", "size", "recorded_at", "short_hash", "download_link"]
    search_fields = ["name", "sha256"]
    find_fields = ["name", "sha256"]
    list_filter = ["media_type"]
    exclude = ("content",)
    empty_text = "Files appear here when an invoice is rendered or an export is made."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("content")

    @admin.display(description="SHA-256")
    def short_hash(self, document: Document) -> SafeString:
        return format_html('<code title="{}">{}…</code>', document.sha256, document.sha256[:12])

    @admin.display(description="File")
    def download_link(self, document: Document) -> SafeString:
        return file_link(document, "Open")

    def facts(self, document: Document) -> list[Fact]:
        return [Fact("File", self.download_link(document)), Fact("Bytes", document.size)]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.download_view)
        return [
            path("<path:object_id>/download/", view, name="documents_document_download"),
            *super().get_urls(),
        ]

    def download_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        document = find(self, request, object_id)
        inline = document.media_type in INLINE
        response = HttpResponse(bytes(document.content), content_type=document.media_type)
        disposition = content_disposition_header(not inline, document.name)
        response["Content-Disposition"] = disposition or "attachment"
        response["X-Content-Type-Options"] = "nosniff"
        return response


def file_link(document: Document, text: str) -> SafeString:
    """A link to the file itself; the text alone for whoever may not read files."""
    if not may_open(Document):
        return format_html("{}", text)
    address = reverse("admin:documents_document_download", args=(document.pk,))
    return format_html('<a href="{}">{}</a>', address, text)
