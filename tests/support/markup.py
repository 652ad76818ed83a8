"""Reads a page as a browser takes it apart: tags, texts, and whatever is neither.

Follows the tokenizer of the HTML standard where pages of ours and texts put into them can differ:
which characters begin a tag, where attributes end, and what stands inside a title, a text area or
a script. Faster than the standard library's parser, since tests read many pages.
"""

from __future__ import annotations

import re
from html import unescape
from typing import Final

_OPENING: Final = re.compile(r"<(?=[A-Za-z!?/])")
_ATTRIBUTE: Final = (
    r"[\s/]*+([^\s/>][^\s/>=]*+)"
    r"(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s>\"'][^\s>]*+)|(?=>)))?"
)
_ATTRIBUTES: Final = re.compile(_ATTRIBUTE)
_TAG: Final = re.compile(
    rf"<(/?)([A-Za-z][^\s/>]*+)((?:{re.sub(r'\((?!\?)', '(?:', _ATTRIBUTE)})*+)[\s/]*+>"
)
_DOCTYPE: Final = re.compile(r"<!doctype\b[^>]*>", re.IGNORECASE)
_OF_TEXT: Final = {  # elements without elements in them, up to the first end tag of their name
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE)
    for name in ("iframe", "noembed", "script", "style", "textarea", "title", "xmp")
}
_UNESCAPED: Final = {"textarea", "title"}


class Reader:
    """Goes through a page once; what it meets is told to the methods that a subclass has."""

    def read(self, page: str) -> None:
        """Go through the page."""
        at = 0
        while (found := _OPENING.search(page, at)) is not None:
            if found.start() > at:
                self.text(unescape(page[at : found.start()]))
            at = self._markup(page, found.start())
        if at < len(page):
            self.text(unescape(page[at:]))

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """A start tag; of attributes that are given twice, the first counts."""

    def end(self, tag: str) -> None:
        """An end tag."""

    def text(self, text: str) -> None:
        """Text, as it is shown."""

    def odd(self, markup: str) -> None:
        """The beginning of a comment, or of a tag that does not end."""

    def _markup(self, page: str, at: int) -> int:
        tag = _TAG.match(page, at)
        if tag is None:
            doctype = _DOCTYPE.match(page, at)
            if doctype is not None:
                return doctype.end()
            self.odd(page[at : at + 60])
            ends = page.find(">", at)
            return len(page) if ends < 0 else ends + 1
        name = tag[2].lower()
        if tag[1]:
            self.end(name)
            return tag.end()
        attributes: dict[str, str] = {}
        for attribute in _ATTRIBUTES.finditer(tag[3]):
            value = attribute[2] or attribute[3] or attribute[4] or ""
            attributes.setdefault(attribute[1].lower(), unescape(value))
        self.start(name, attributes)
        return self._inside(page, name, tag.end())

    def _inside(self, page: str, name: str, at: int) -> int:
        """Where to read on: behind what an element holds that cannot hold elements."""
        ending = _OF_TEXT.get(name)
        if ending is None:
            return at
        found = ending.search(page, at)
        ends = len(page) if found is None else found.start()
        held = page[at:ends]
        self.text(unescape(held) if name in _UNESCAPED else held)
        return ends
