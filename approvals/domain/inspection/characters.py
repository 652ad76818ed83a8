"""Which characters mislead a reader, and how: by kind, by script, by likeness.

Built on the standard library's Unicode data; the likeness table holds only letters that common
fonts draw alike, and makes no claim to be complete. Knows single characters and single words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from typing import Final


class Kind(StrEnum):
    """What is wrong with a character or a word."""

    BIDI = "bidi"  # changes the direction in which text is drawn
    INVISIBLE = "invisible"  # takes part in the text but is not drawn
    TAG = "tag"  # an invisible copy of ASCII, unseen by people and read by models
    CONTROL = "control"  # C0, C1, line and paragraph separators
    SURROGATE = "surrogate"  # half of a character
    UNASSIGNED = "unassigned"  # no meaning, or a private one
    SPACE = "space"  # looks like a space and is none
    COMBINING = "combining"  # marks stacked on one letter until they cover others
    MIXED_SCRIPT = "mixed_script"  # letters of several scripts in one word
    CONFUSABLE = "confusable"  # looks like other characters than it is


_BIDI: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Not drawn, though Unicode does not class all of them as format characters.
_INVISIBLE: Final = frozenset(
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u180f"
    "\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\u206a\u206b\u206c\u206d\u206e\u206f"
    "\u2800\u3164\ufeff\uffa0\U0001d159"
)
_VARIATION: Final = ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
_TAGS: Final = (0xE0000, 0xE007F)
_BY_CATEGORY: Final = {
    "Cc": Kind.CONTROL,
    "Zl": Kind.CONTROL,
    "Zp": Kind.CONTROL,
    "Cf": Kind.INVISIBLE,
    "Cs": Kind.SURROGATE,
    "Co": Kind.UNASSIGNED,
    "Cn": Kind.UNASSIGNED,
    "Zs": Kind.SPACE,
}
_C0_NAMES: Final = {
    0x00: "null", 0x07: "bell", 0x08: "backspace", 0x09: "tab", 0x0A: "line feed",
    0x0D: "carriage return", 0x1B: "escape", 0x7F: "delete", 0x85: "next line",
    0x9B: "control sequence introducer",
}  # fmt: skip


@lru_cache(maxsize=4096)
def kind_of(character: str) -> Kind | None:
    """Why a character must not be drawn as it is, or None. A plain space is fine."""
    code = ord(character)
    if 0x20 <= code <= 0x7E:
        return None
    if character in _BIDI:
        return Kind.BIDI
    if _TAGS[0] <= code <= _TAGS[1]:
        return Kind.TAG
    if character in _INVISIBLE or any(low <= code <= high for low, high in _VARIATION):
        return Kind.INVISIBLE
    return _BY_CATEGORY.get(unicodedata.category(character))


def is_mark(character: str) -> bool:
    """Whether a character is drawn onto the one before it."""
    return unicodedata.category(character) in {"Mn", "Me"}


def label(character: str) -> str:
    """The chip for a character, such as `[U+202E]`."""
    return f"[U+{ord(character):04X}]"


def name_of(character: str) -> str:
    """What a character is called, in words."""
    code = ord(character)
    if _TAGS[0] <= code <= _TAGS[1] and 0x20 <= code - _TAGS[0] <= 0x7E:
        return f"tag character for {chr(code - _TAGS[0])!r}"
    known = _C0_NAMES.get(code)
    if known:
        return known
    if unicodedata.category(character) == "Cs":
        return "lone surrogate"
    fallback = {"Cc": "control character", "Co": "private-use character"}
    otherwise = fallback.get(unicodedata.category(character), "unassigned character")
    return unicodedata.name(character, otherwise).lower()


# -- scripts and likeness -------------------------------------------------------------------

_WORD: Final = re.compile(r"[^\W\d_]+")
_EAST_ASIAN: Final = (
    frozenset({"LATIN", "HAN", "HIRAGANA", "KATAKANA"}),
    frozenset({"LATIN", "HAN", "BOPOMOFO"}),
    frozenset({"LATIN", "HAN", "HANGUL"}),
)
_SCRIPT_ALIASES: Final = {
    "CJK": "HAN",
    "IDEOGRAPHIC": "HAN",
    "KATAKANA-HIRAGANA": "KATAKANA",
    "MICRO": "GREEK",
    "KELVIN": "LATIN",
    "ANGSTROM": "LATIN",
    "FEMININE": "LATIN",
    "MASCULINE": "LATIN",
}
_NO_SCRIPT: Final = frozenset({"MODIFIER", "FULLWIDTH", "HALFWIDTH", "MATHEMATICAL", "CIRCLED"})

# Letters of other scripts that are drawn like ASCII ones, position by position.
_LOOKALIKES: Final = (
    (  # Cyrillic
        (
            "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u0501"
            "\u051b\u051d\u0475\u0433\u044c\u04cf"
        ),
        "aeopcyxijshdqwvrbl",
    ),
    (  # Cyrillic capitals
        (
            "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425"
            "\u0406\u0408\u0405\u050c\u051a\u051c\u04ae\u042c\u04c0"
        ),
        "ABEKMHOPCTYXIJSGQWYbI",
    ),
    (  # Greek
        "\u03b1\u03b9\u03bd\u03bf\u03c1\u03c5\u03ba\u03c7\u03b3\u03c9\u03f2\u03f3",
        "aivopukxywcj",
    ),
    (  # Greek capitals
        (
            "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4"
            "\u03a5\u03a7\u03f9"
        ),
        "ABEZHIKMNOPTYXC",
    ),
    (  # Armenian
        "\u0585\u0578\u057d\u0570\u0581\u0566\u0501\u0584\u0575",
        "onuhgqdpj",
    ),
    (  # Armenian capitals
        "\u0555\u054d\u053c\u054f",
        "OULS",
    ),
    (  # Cherokee
        (
            "\u13aa\u13f4\u13df\u13a0\u13ac\u13c0\u13bb\u13a5\u13ab\u13e6\u13de\u13b7"
            "\u13e2\u13d2\u13da\u13a2\u13d9\u13b3\u13c3"
        ),
        "ABCDEGHIJKLMPRSTVWZ",
    ),
    (  # Coptic
        "\u2c9f\u2ca3\u2ca5",
        "opc",
    ),
    (  # Latin beyond ASCII
        "\u0131\u0261\u0251\u029f",
        "igal",
    ),
)
# Signs that are drawn like ones with a meaning in paths, hosts, addresses and commands.
_LOOKALIKE_SIGNS: Final = {
    "\u2044": "/", "\u2215": "/", "\u29f8": "/", "\u2571": "/", "\u29f5": "\\", "\u2216": "\\",
    "\u2024": ".", "\u3002": ".", "\uff61": ".", "\u00b7": ".", "\ua789": ":", "\u2236": ":",
    "\u02d0": ":", "\u05c3": ":", "\u0589": ":", "\u2010": "-", "\u2011": "-", "\u2012": "-",
    "\u2013": "-", "\u2014": "-", "\u2212": "-", "\u02d7": "-", "\u2043": "-", "\u02bc": "'",
    "\u2018": "'", "\u2019": "'", "\u02b9": "'", "\u201c": '"', "\u201d": '"', "\u02ba": '"',
    "\u2223": "|", "\u01c0": "|", "\u2227": "^", "\u223c": "~", "\u02dc": "~", "\u037e": ";",
    "\u204e": "*", "\u2217": "*", "\u203a": ">", "\u2039": "<",
}  # fmt: skip
_LIKENESS: Final = {
    **_LOOKALIKE_SIGNS,
    **{
        letter: ascii_letter
        for letters, ascii_letters in _LOOKALIKES
        for letter, ascii_letter in zip(letters, ascii_letters, strict=True)
    },
}


@lru_cache(maxsize=4096)
def likeness(character: str) -> str:
    """The ASCII that a character is drawn like, or an empty string."""
    if character.isascii():
        return ""
    known = _LIKENESS.get(character)
    if known:
        return known
    folded = unicodedata.normalize("NFKC", character)
    return folded if folded.isascii() and folded.isprintable() and folded.strip() else ""


@lru_cache(maxsize=4096)
def script_of(letter: str) -> str:
    """A letter's script as the first word of its Unicode name has it; empty where it has none."""
    if letter.isascii():
        return "LATIN"
    first = unicodedata.name(letter, "").split(" ")[0]
    return "" if first in _NO_SCRIPT else _SCRIPT_ALIASES.get(first, first)


def words_of(text: str) -> Iterable[str]:
    """The runs of letters in a text that hold more than ASCII."""
    return (found.group() for found in _WORD.finditer(text) if not found.group().isascii())


def scripts_mixed(word: str) -> tuple[str, ...]:
    """The scripts of a word that should have one, sorted, or nothing.

    Chinese, Japanese and Korean writing mixes scripts by nature, with Latin among them (the
    "highly restrictive" level of UTS 39).
    """
    scripts = {script_of(letter) for letter in word} - {""}
    if len(scripts) < 2 or any(scripts <= usual for usual in _EAST_ASIAN):
        return ()
    return tuple(sorted(scripts))


def reads_as(word: str) -> str:
    """The ASCII word that a wholly foreign word could be taken for, or an empty string."""
    read = [letter if letter.isascii() else likeness(letter) for letter in word]
    return "".join(read) if all(read) else ""
