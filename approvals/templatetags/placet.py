"""What every page draws with: icons, moments, the frame's facts, and untrusted text.

`untrusted` is the only way from somebody else's words to the page. It renders inspected
segments, each escaped, inside an isolating element; nothing here marks foreign text as safe.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from django import template
from django.http import HttpRequest
from django.template import Context
from django.templatetags.static import static
from django.utils import dateformat, timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy

from approvals.domain.inspection import InspectedText, Segment, inspect, one_line
from approvals.models import User
from approvals.presenters.shell import Shell, shell_for
from approvals.presenters.words import SAME_DAY, byte_size

register = template.Library()

# As Django's date formats spell them.
_MOMENTS = {
    "minutes": gettext_lazy("H:i"),
    "seconds": gettext_lazy("H:i:s"),
    "day": gettext_lazy("j F Y, H:i"),
}

# A path, a host or an address too long for a phone's line breaks where its parts meet: not within
# a run of separators, and not before the last letter or a file's ending.
_LONG_WORD = re.compile(r"\S{17,}")
_SEAM = re.compile(r"(?<=[/\\_\-:@?&=#,;+])(?=\w\S)|(?<=\.)(?=\w\S{3})")


@register.simple_tag
def icon(name: str) -> SafeString:
    """A drawn sign from static/icons.svg, hidden from screen readers: a word stands beside it."""
    return format_html(
        '<svg class="icon icon-{}" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>',
        name,
        static("icons.svg"),
        name,
    )


@register.simple_tag
def untrusted(text: InspectedText | str | None, kind: str = "text") -> SafeString:
    """Somebody else's words, isolated, with chips for what could act.

    A plain string is inspected here; `kind` "name" inspects it as an identifier, and "whole" shows
    a long text uncut, where what is read is what is agreed to.
    """
    if text is None or text == "":
        return SafeString("")
    if isinstance(text, str):
        text = inspect(text, identifier_like=kind == "name", whole=kind == "whole")
    gap = (
        format_html(
            '<span class="gap">{}</span>',
            gettext("… {size} not shown …").format(size=byte_size(text.hidden)),
        )
        if text.cut
        else ""
    )
    head, tail = (_segments(end, parts=text.identifier_like) for end in (text.head, text.tail))
    return format_html("<bdi>{}{}{}</bdi>", head, gap, tail)


@register.filter
def inert(text: str) -> str:
    """Somebody else's words where no element can stand: in a title, an option, an attribute."""
    return one_line(text)


@register.simple_tag
def ends(text: InspectedText, end: str) -> SafeString:
    """One end of a cut text, "head" or "tail", rendered as `untrusted` does."""
    return format_html("<bdi>{}</bdi>", _segments(text.head if end == "head" else text.tail))


@register.simple_tag
def moment(value: datetime | None, detail: str = "minutes") -> SafeString:
    """A moment as a time element in the reader's zone, which is UTC until they choose one.

    The browser rewrites it, in its own zone where none was chosen. One that is far from now says
    its day, whatever `detail` was asked for: an hour alone would mislead.
    """
    if value is None:
        return SafeString("")
    if abs(value - timezone.now()) >= SAME_DAY:
        detail = "day"
    instant = value.astimezone(UTC)
    local = timezone.localtime(value)
    return format_html(
        '<time datetime="{}" data-moment="{}">{}</time>',
        instant.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        detail,
        f"{dateformat.format(local, str(_MOMENTS[detail]))} {local.tzname()}",
    )


@register.simple_tag(takes_context=True)
def shell(context: Context) -> Shell | None:
    """The frame's facts for whoever is signed in, or None.

    A page that has read who its `reader` is, or how much `needs` them, has that in its context.
    """
    user = getattr(context.get("request"), "user", None)
    if not isinstance(user, User):
        return None
    return shell_for(user, reader=context.get("reader"), needs=context.get("needs"))


@register.simple_tag(takes_context=True)
def here(context: Context, *names: str) -> SafeString:
    """The attribute that marks a navigation link as the place where the reader is."""
    request = context.get("request")
    match = request.resolver_match if isinstance(request, HttpRequest) else None
    current = match is not None and match.view_name in names
    return SafeString(' aria-current="page"' if current else "")


def _segments(segments: Iterable[Segment], *, parts: bool = False) -> SafeString:
    """The segments one after the other; what is made of `parts` may break between them."""
    return format_html_join("", "{}", ((_segment(segment, parts=parts),) for segment in segments))


def _segment(segment: Segment, *, parts: bool) -> SafeString | str:
    if not segment.is_chip:
        return _breakable(segment.text) if parts else segment.text
    label = f"{segment.text}\u00d7{segment.count}" if segment.count > 1 else segment.text
    return format_html('<span class="chip" title="{}">{}</span>', segment.why, label)


def _breakable(text: str) -> SafeString | str:
    """The text with a place to break, and no character, at the seams of its long words."""
    pieces = []
    done = 0
    for word in _LONG_WORD.finditer(text):
        for seam in _SEAM.finditer(text, word.start(), word.end()):
            pieces.append((text[done : seam.start()],))
            done = seam.start()
    if not pieces:
        return text
    return format_html("{}{}", format_html_join("", "{}<wbr>", pieces), text[done:])
