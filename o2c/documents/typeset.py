"""PDF from a typst template and plain data. Money and dates arrive as text, already formatted.

The same data gives the same bytes: no clock is read (`timestamp` is the document's own date) and only
the fonts in templates/documents/fonts are used, so a stored hash can be proved again on another machine.
"""

from __future__ import annotations

import datetime as dt
import json
import threading
from pathlib import Path
from typing import Any

import typst
from django.conf import settings

from o2c.errors import InvalidInput

_compilers = threading.local()


def _templates() -> Path:
    return Path(settings.BASE_DIR) / "templates" / "documents"


def _compiler() -> typst.Compiler:
    """One compiler per thread: it keeps the fonts and the parsed templates in memory."""
    if not hasattr(_compilers, "instance"):
        fonts = typst.Fonts(include_system_fonts=False, font_paths=[str(_templates() / "fonts")])
        _compilers.instance = typst.Compiler(root=str(_templates()), font_paths=fonts)
    return _compilers.instance  # type: ignore[no-any-return]


def render(template: str, data: dict[str, Any], *, dated: dt.date, form: str = "pdf") -> list[bytes]:
    """`templates/documents/<template>.typ` filled with `data` (JSON values only).

    Returns one PDF, or one PNG a page when `form` is 'png'. `dated` becomes the creation date in the
    file. Raises InvalidInput with typst's own message when the template cannot be compiled.
    """
    midnight = dt.datetime.combine(dated, dt.time(), tzinfo=dt.UTC)
    try:
        result = _compiler().compile(
            input=str(_templates() / f"{template}.typ"),
            format=form,  # type: ignore[arg-type]
            sys_inputs={"data": json.dumps(data, ensure_ascii=False, sort_keys=True)},
            timestamp=int(midnight.timestamp()),
        )
    except typst.TypstError as error:
        raise InvalidInput(
            f"The document cannot be typeset: {error.message}",
            record=template,
            remedy="Correct the template under templates/documents",
        ) from error
    assert result is not None
    return result if isinstance(result, list) else [result]
