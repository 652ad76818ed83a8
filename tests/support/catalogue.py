"""The sentences of this project and their translations: found in the source, kept in .po files.

Needs no GNU gettext: sentences are read from Python's syntax tree and from Django's own reading of
templates, and the compiled catalogue is written here, byte for byte the same from the same words.
"""

from __future__ import annotations

import ast
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("approvals", "mcpbridge", "placet")
CATALOGUE = ROOT / "placet" / "locale" / "de" / "LC_MESSAGES" / "django.po"
HEADER = (
    "Content-Type: text/plain; charset=UTF-8\n"
    "Content-Transfer-Encoding: 8bit\n"
    "Language: de\n"
    "Plural-Forms: nplurals=2; plural=(n != 1);\n"
)

ONE = {"gettext", "gettext_lazy", "gettext_noop", "say", "_"}
MANY = {"ngettext", "ngettext_lazy", "say_many", "both"}
OF_CONTEXT = {"pgettext", "pgettext_lazy"}

_LITERAL = r"""[ru]*(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""
_IN_TEMPLATE = re.compile(rf"\b(n?p?gettext|_)\(\s*({_LITERAL}(?:\s*,\s*{_LITERAL})*)", re.DOTALL)
_PLACES = re.compile(r"%\(\w+\)s|\{\w+(?::[^}]*)?\}|<[^>]+>")  # values and elements


class Key(NamedTuple):
    """What names a sentence: its context, and its English."""

    context: str
    one: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A sentence, with `many` where it has a plural; `said` are its translations."""

    key: Key
    many: str = ""
    said: tuple[str, ...] = ()

    @property
    def is_translated(self) -> bool:
        """Whether every form of it is said."""
        return len(self.said) == (2 if self.many else 1) and all(self.said)

    def misplaced(self) -> set[str]:
        """Places that a translation has or lacks and the sentence does not; a singular may omit."""
        wanted = set(_PLACES.findall(self.key.one + self.many)) if any(self.said) else set()
        wrong: set[str] = set()
        for form, text in enumerate(self.said):
            found = set(_PLACES.findall(text))
            wrong |= found - wanted
            if form == len(self.said) - 1:
                wrong |= wanted - found
        return wrong


# -- in the source --------------------------------------------------------------------------------


def in_source(refusals: Iterable[type]) -> dict[Key, Message]:
    """Every sentence of the project; a refusal's is its docstring."""
    found: dict[Key, Message] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for message in _in_python(path.read_text()):
                _add(found, message)
    for path in sorted((ROOT / "templates").rglob("*.*")):
        for message in _in_template(path.read_text(), str(path)):
            _add(found, message)
    for refusal in refusals:
        _add(found, Message(key=Key("", " ".join((refusal.__doc__ or "").split()))))
    return found


def _add(found: dict[Key, Message], message: Message) -> None:
    known = found.get(message.key)
    if known is None or (message.many and not known.many):
        found[message.key] = message


def _in_python(source: str) -> Iterator[Message]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        name = node.func.id if isinstance(node.func, ast.Name) else name
        texts = [a.value for a in node.args if isinstance(a, ast.Constant)]
        yield from _called(name, [text for text in texts if isinstance(text, str)])


def _in_template(source: str, origin: str) -> Iterator[Message]:
    for call in _IN_TEMPLATE.finditer(templatize(source, origin=origin)):
        texts = [ast.literal_eval(text) for text in re.findall(_LITERAL, call[2], re.DOTALL)]
        yield from _called(call[1], texts)


def _called(name: str, texts: list[str]) -> Iterator[Message]:
    if name in ONE and texts:
        yield Message(key=Key("", texts[0]))
    elif name in MANY and len(texts) >= 2:
        yield Message(key=Key("", texts[0]), many=texts[1])
    elif name in OF_CONTEXT and len(texts) >= 2:
        yield Message(key=Key(texts[0], texts[1]))


# -- in the catalogue -----------------------------------------------------------------------------


def in_catalogue(text: str) -> dict[Key, Message]:
    """The messages of a .po file, its header left out."""
    found: dict[Key, Message] = {}
    for block in re.split(r"\n\s*\n", text):
        parts = _parts(block)
        if parts.get("msgid"):
            key = Key(parts.get("msgctxt", ""), parts["msgid"])
            said = [parts[name] for name in ("msgstr", "msgstr[0]", "msgstr[1]") if name in parts]
            found[key] = Message(key=key, many=parts.get("msgid_plural", ""), said=tuple(said))
    return found


def _parts(block: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    name = ""
    for line in block.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if not line.startswith('"'):
            name, _, line = line.partition(" ")  # noqa: PLW2901 (the rest is the text)
        parts[name] = parts.get(name, "") + ast.literal_eval(line)
    return parts


def joined(wanted: dict[Key, Message], known: dict[Key, Message]) -> list[Message]:
    """What the catalogue should hold: the source's sentences with the translations there are."""
    return [
        replace(message, said=known[key].said if key in known else ())
        for key, message in sorted(wanted.items())
    ]


def written(messages: Iterable[Message]) -> str:
    """The messages as a .po file."""
    blocks = ['msgid ""\nmsgstr ""\n' + "\n".join(map(_quoted, HEADER.splitlines(keepends=True)))]
    for message in messages:
        lines = [f"msgctxt {_quoted(message.key.context)}"] if message.key.context else []
        lines.append(f"msgid {_quoted(message.key.one)}")
        if message.many:
            said = (*message.said, "", "")[:2]
            lines.append(f"msgid_plural {_quoted(message.many)}")
            lines += [f"msgstr[{form}] {_quoted(text)}" for form, text in enumerate(said)]
        else:
            lines.append(f"msgstr {_quoted(message.said[0] if message.said else '')}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def compiled(messages: Iterable[Message]) -> bytes:
    """The messages as a .mo file: two sorted tables of (length, offset), then the texts."""
    pairs = [(b"", HEADER.encode())]
    for message in messages:
        if message.is_translated:
            context = f"{message.key.context}\x04" if message.key.context else ""
            one = context + message.key.one
            original = f"{one}\x00{message.many}" if message.many else one
            pairs.append((original.encode(), "\x00".join(message.said).encode()))
    pairs.sort()
    head, size = 28, len(pairs)
    offset = head + 16 * size
    tables: list[bytes] = []
    texts: list[bytes] = []
    for column in (0, 1):
        for pair in pairs:
            tables.append(struct.pack("<II", len(pair[column]), offset))
            texts.append(pair[column] + b"\0")
            offset += len(pair[column]) + 1
    magic = struct.pack("<7I", 0x950412DE, 0, size, head, head + 8 * size, 0, 0)
    return magic + b"".join(tables) + b"".join(texts)
