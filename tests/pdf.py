"""The text of a PDF as typst writes it: what a reader could copy, page by page. For tests only."""

from __future__ import annotations

import re
import zlib

OBJECT = re.compile(rb"\n(\d+) 0 obj\n(.*?)\nendobj", re.DOTALL)
PIECE = re.compile(rb"/(f\d+) [\d.]+ Tf|\(((?:\\.|[^\\()])*)\)|<([0-9A-Fa-f]+)>|(EMC)", re.DOTALL)
ESCAPE = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)
NAMED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def pages(pdf: bytes) -> list[str]:
    """The text of each page, one line per marked piece of content."""
    objects = {int(number): body for number, body in OBJECT.findall(pdf)}
    found = []
    for body in objects.values():
        if re.match(rb"<</Type/Page/", body):
            fonts = _fonts(objects, body)
            found.append(_text(_stream(objects[_reference(body, b"Contents")]), fonts))
    return found


def text(pdf: bytes) -> str:
    return "\n".join(pages(pdf))


def _reference(body: bytes, name: bytes) -> int:
    match = re.search(rb"/" + name + rb" (\d+) 0 R", body)
    assert match, f"{name!r} is not in {body[:100]!r}"
    return int(match.group(1))


def _stream(body: bytes) -> bytes:
    return zlib.decompressobj().decompress(body.split(b"stream\n", 1)[1])


def _fonts(objects: dict[int, bytes], page: bytes) -> dict[bytes, dict[int, str]]:
    resources = objects[_reference(page, b"Resources")]
    names = re.findall(rb"/(f\d+) (\d+) 0 R", resources)
    return {
        name: _characters(_stream(objects[_reference(objects[int(n)], b"ToUnicode")])) for name, n in names
    }


def _characters(cmap: bytes) -> dict[int, str]:
    return {
        int(code, 16): bytes.fromhex(value.decode()).decode("utf-16-be")
        for code, value in re.findall(rb"<([0-9A-F]{4})> <([0-9A-F]+)>\n", cmap)
    }


def _unescaped(raw: bytes) -> bytes:
    def one(match: re.Match[bytes]) -> bytes:
        code = match.group(1)
        return bytes([int(code, 8)]) if code.isdigit() else NAMED.get(code, code)

    return ESCAPE.sub(one, raw)


def _text(content: bytes, fonts: dict[bytes, dict[int, str]]) -> str:
    written: list[str] = []
    font: dict[int, str] = {}
    for name, literal, hexadecimal, end in PIECE.findall(content):
        if name:
            font = fonts[name]
        elif end:
            written.append("\n")
        else:
            raw = bytes.fromhex(hexadecimal.decode()) if hexadecimal else _unescaped(literal)
            codes = [int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2)]
            written.append("".join(font.get(code, "") for code in codes))
    return re.sub(r"\n+", "\n", "".join(written)).strip()
