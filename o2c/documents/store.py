"""Storing and reading documents by content hash."""

from __future__ import annotations

import hashlib

from o2c.documents.models import Document
from o2c.errors import InvalidInput


def put(content: bytes, media_type: str, name: str) -> Document:
    """Store `content` and return its row; the row already there when the same bytes are known.

    Raises InvalidInput for no bytes at all. Runs inside the caller's transaction.
    """
    if not content:
        raise InvalidInput("An empty file is not stored", record=name, remedy="Send the file's bytes")
    digest = hashlib.sha256(content).hexdigest()
    # ON CONFLICT DO NOTHING: two workers that render the same document both succeed.
    Document.objects.bulk_create(
        [Document(sha256=digest, name=name, media_type=media_type, size=len(content), content=content)],
        ignore_conflicts=True,
    )
    return Document.objects.defer("content").get(sha256=digest)
