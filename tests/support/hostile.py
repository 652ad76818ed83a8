"""What an agent, an upstream or another person may write to fool a reviewer, and who judges a page.

Each text carries a mark of its own, so that a page can be asked whether it was shown at all, and
whether every showing of it stands isolated. The judge knows nothing of how pages are made: it
reads the HTML as a browser does and has its own list of what must never be in it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from tests.support.markup import Reader

_TEXTS: Final = (
    # markup that acts
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '"><script src=https://evil.test/x.js></script>',
    "' autofocus onfocus=alert(1) x='",
    '" style="position:fixed;inset:0" x="',
    "</textarea><button name=verdict value=approve>ok</button>",
    "</title><meta http-equiv=refresh content='0;url=https://evil.test'>",
    "</bdi></code></td></tr></table><h1>Approved</h1>",
    "<a href='javascript:alert(1)'>Approve</a>",
    "<iframe src=https://evil.test></iframe>",
    "<form action=https://evil.test><input name=p>",
    "<base href=https://evil.test/>",
    "<link rel=stylesheet href=https://evil.test/a.css>",
    "<!--",
    "]]>",
    "<template><details open>",
    "&lt;script&gt;&#x3c;b&#x3e;",
    "\x3cplaintext\x3e",
    # markup that something between here and the reader might believe
    "![x](https://evil.test/pixel.png)",
    "[Approve](https://evil.test)",
    "<https://evil.test>",
    "*bold* _it_ `code` ~~gone~~ # h1",
    "<!channel> <@U123> @everyone",
    "https://evil.test/?q=1",
    # templates, headers, formulas
    "{{ view.nonce }}{% csrf_token %}",
    "${7*7} #{7*7} <%= 7*7 %>",
    "{0.__class__} %(name)s %s",
    "x\r\nBcc: everybody@evil.test",
    "x\nSet-Cookie: placet=1",
    '=HYPERLINK("https://evil.test")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1)",
    "\t=1+1",
    "\uff1d1+1",
    "x;=1+1;",
    # terminals
    "\x1b[2J\x1b[31mred",
    "\x1b]8;;https://evil.test\x07link\x1b]8;;\x07",
    "\x9b31m",
    "one\rtwo\x08\x08\x08",
    "bell\x07 del\x7f",
    # direction
    "invoice\u202ecod.exe",
    "\u202dover\u202c",
    "\u2066iso\u2069\u2067late\u2069",
    "\u200fmark\u200e\u061c",
    "\u05d0\u05d1\u05d2 / \u05d3",
    "\u0627\u0644\u0645\u0644\u0641.txt 123",
    # what cannot be seen
    "pay\u200bpal",
    "a\u200c\u200d\u2060b\ufeff",
    "soft\u00adhyphen",
    "fill\u3164er\u115f\u1160\uffa0",
    "\U000e0069\U000e0067\U000e006e\U000e006f\U000e0072\U000e0065",
    "vs\ufe01\U000e0101",
    "sep\u2028ara\u2029tor",
    "space\u00a0\u2003\u3000",
    "braille\u2800blank",
    # what looks like something else
    "p\u0430ypal.com",
    "\u0440\u0430\u0443\u0440\u0430\u04cf.com",
    "xn--pypal-4ve.com",
    "example.com\u2215@evil.test",
    "/etc\u2044passwd",
    "\uff52\uff4d -rf",
    "user@ex\u0430mple.test",
    "\U0001d41a\U0001d41d\U0001d426\U0001d422\U0001d427",
    "gith\u1d1cb.com",
    # too much of something
    "z\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308\u0309\u030a",
    "W" * 90,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    '{"nested":"{\\"approve\\":true}"}',
    '\\"\\u003cscript\\u003e',
    # what is nothing
    "nul\x00byte",
    "c1\x85\x90",
    "private\ue000",
    "non\ufffe char",
)
MARK: Final = "zq"


@dataclass(frozen=True, slots=True)
class Hostile:
    """One text; `mark` is the word in it that no page has otherwise."""

    mark: str
    text: str

    @property
    def fits_a_column(self) -> bool:
        """Whether a database stores it: names with these never get past the gateway."""
        return "\x00" not in self.text


HOSTILE: Final = tuple(
    Hostile(f"{MARK}{at:02}", f"{text} {MARK}{at:02}") for at, text in enumerate(_TEXTS)
)


# One of each kind in a name of its own, the short ones first, so that a shorter name has them too.
ESSENCE: Final = " ".join(
    hostile.text
    for start in (
        "invoice",
        "pay\u200b",
        "\x1b[2J",
        "<img",
        "\U000e0069",
        "c1\x85",
        "z\u0300",
        "</bdi>",
        "{{ view",
    )
    for hostile in HOSTILE
    if hostile.text.startswith(start)
)


def packed(limit: int) -> Iterator[str]:
    """All texts that fit into a column, several to each name of at most `limit` characters."""
    line = ""
    for hostile in HOSTILE:
        if not hostile.fits_a_column:
            continue
        if line and len(line) + 1 + len(hostile.text) > limit:
            yield line
            line = ""
        line = f"{line} {hostile.text}" if line else hostile.text
    yield line


def a_megabyte(payload: str) -> str:
    """A text of 1 MiB of harmless lines with the payload in its middle."""
    line = "all of this is quite ordinary text\n"
    half = line * (524_288 // len(line))
    return f"{half}{payload}\n{half}"


# -- the judge ------------------------------------------------------------------------------------

FORBIDDEN_TAGS: Final = {
    "applet", "audio", "base", "embed", "foreignobject", "frame", "iframe", "img", "marquee",
    "math", "noembed", "object", "plaintext", "portal", "source", "style", "video", "xmp",
}  # fmt: skip
ADDRESSES: Final = {
    "action", "background", "cite", "data", "data-row-url", "data-url", "formaction", "href",
    "hx-delete", "hx-get", "hx-post", "hx-put", "ping", "poster", "src", "srcset", "xlink:href",
}  # fmt: skip
ISOLATING: Final = {"bdi", "label", "option", "textarea", "title"}  # labels by their style
VOID: Final = {"base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "use"}
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
UNSEEN_LETTERS: Final = "\u115f\u1160\u3164\uffa0\u2800\u034f"
MARKS_BEARABLE: Final = 5


class Judge(Reader):
    """Reads one page; `faults` are what a hostile text achieved."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._shown: list[str] = []
        self._open: list[str] = []

    @property
    def shown(self) -> str:
        """All text of the page."""
        return "".join(self._shown)

    def start(self, tag: str, given: dict[str, str]) -> None:
        """Judge an element and its attributes."""
        if tag in FORBIDDEN_TAGS:
            self.faults.append(f"an element <{tag}> {given}")
        if tag == "script" and not given.get("src", "").startswith("/static/"):
            self.faults.append(f"a script {given}")
        if tag == "meta" and "http-equiv" in given:
            self.faults.append(f"a meta element that acts: {given}")
        for name, value in given.items():
            if name.startswith("on") or name in ("style", "srcdoc", "hx-on", "hx-vals"):
                self.faults.append(f"an attribute {name}={value[:60]!r}")
            if name in ADDRESSES and not _is_ours(value):
                self.faults.append(f"an address {name}={value[:60]!r}")
            if name != "value":  # what a form sends back is sent back as it came
                self._read(value, f"attribute {name}")
        if tag not in VOID:
            self._open.append(tag)

    def end(self, tag: str) -> None:
        """Close what the tag closes."""
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def odd(self, markup: str) -> None:
        """Pages of ours have no comments and no broken tags."""
        self.faults.append(f"no tag and no text: {markup!r}")

    def text(self, text: str) -> None:
        """Judge a text, and where it stands."""
        self._shown.append(text)
        self._read(text, "text")
        if MARK in text and ISOLATING.isdisjoint(self._open):
            self.faults.append(f"not isolated in <{'/'.join(self._open[-3:])}>: {text[:80]!r}")

    def _read(self, text: str, where: str) -> None:
        self.faults += [f"{fault} in {where}: {text[:60]!r}" for fault in misleading(text)]


def misleading(text: str) -> Iterator[str]:
    """What in a plain text is not seen by its reader, or acts on a terminal."""
    if text.isascii() and text.isprintable():
        return
    for character in sorted(set(text) - {"\n", "\t"}):
        if unicodedata.category(character)[0] == "C" or character in UNSEEN_LETTERS:
            yield f"U+{ord(character):04X} as it is"
    run = 0
    for character in text if not text.isascii() else "":
        run = run + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if run > MARKS_BEARABLE:
            yield "a storm of marks"
            return


def _is_ours(address: str) -> bool:
    """A place on the same page or the same origin."""
    if address.startswith(("//", "/\\")):
        return False
    return address == "" or address.startswith(("/", "#", "?"))


def judged(page: bytes) -> Judge:
    """The page, read."""
    judge = Judge()
    judge.read(page.decode())
    return judge


def unread(shown: str, wanted: Iterable[Hostile]) -> list[str]:
    """As `unseen`; and what is plain, in JSON as well, should stand there as it was written."""
    plain = [each for each in wanted if re.fullmatch(r"[ !#-\[\]-~]+", each.text)]
    return unseen(shown, wanted) + [each.mark for each in plain if each.text not in shown]


def unseen(shown: str, wanted: Iterable[Hostile]) -> list[str]:
    """The marks that a page should show and does not."""
    return [hostile.mark for hostile in wanted if hostile.mark not in shown]
