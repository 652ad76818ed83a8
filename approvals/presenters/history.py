"""The history: rows, the filters that were chosen, and where the next page begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy

from approvals.domain.states import State
from approvals.presenters.choices import Choice
from approvals.presenters.inbox import present_rows
from approvals.presenters.rows import Row, unticked
from approvals.presenters.words import RISK_MARKS, STATE_MARKS
from approvals.selectors.searching import Found

OVER: Final = "over"
OPEN: Final = "open"

_FIELDS: Final = (
    ("agent", "text", gettext_lazy("Agent")),
    ("upstream", "text", gettext_lazy("Upstream")),
    ("tool", "text", gettext_lazy("Tool")),
    ("reviewer", "text", gettext_lazy("Voted on by")),
    ("owner", "text", gettext_lazy("Owner of the agent")),
    ("since", "date", gettext_lazy("Called from")),
    ("until", "date", gettext_lazy("Called until")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A filter that is typed."""

    name: str
    type: str
    label: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPage:
    """A page of the history with its form."""

    rows: tuple[Row, ...]
    words: str
    states: tuple[Choice, ...]
    risks: tuple[Choice, ...]
    fields: tuple[Field, ...]
    narrowed: bool
    more_open: bool  # one of the filters behind the fold is in use
    remarks: tuple[str, ...]
    older: str
    older_words: str
    newest: str
    export: str
    empty_heading: str
    empty_text: str
    empty_url: str
    empty_action: str


def present_history(
    found: Found, *, chosen: Mapping[str, str], is_first: bool, problems: Sequence[str],
    now: datetime,
) -> HistoryPage:  # fmt: skip
    """A page; `chosen` are the filters as they were typed, by name and without the empty ones."""
    here = reverse("approvals:history")
    page = found.page
    older = {**chosen, "before": page.next_before}
    folded = [name for name, _, _ in _FIELDS] + ["risk"]
    return HistoryPage(
        rows=tuple(map(unticked, present_rows(found.rows, now=now))),
        words=chosen.get("q", ""),
        states=_states(chosen.get("state", "")),
        risks=_risks(chosen.get("risk", "")),
        fields=tuple(
            Field(name=name, type=kind, label=str(label), value=chosen.get(name, ""))
            for name, kind, label in _FIELDS
        ),
        narrowed=bool(chosen),
        more_open=any(name in chosen for name in folded),
        remarks=(*problems, *_remarks(found)),
        older=_address(here, older) if page.next_before is not None else "",
        older_words=gettext("Look further back") if page.looked_to else gettext("Older"),
        newest="" if is_first else _address(here, chosen),
        export=_address(reverse("approvals:history-export"), chosen),
        empty_heading=gettext("No ticket matches") if chosen else gettext("There is no ticket yet"),
        empty_text=gettext("Fewer filters show more.")
        if chosen
        else gettext("Every call that you may see stands here from the moment it was paused."),
        empty_url=here if chosen else reverse("approvals:inbox"),
        empty_action=gettext("Show all") if chosen else gettext("To the inbox"),
    )


def _address(path: str, query: Mapping[str, object]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _remarks(found: Found) -> tuple[str, ...]:
    remarks = []
    if found.page.left_off:
        remarks.append(
            gettext("What you typed stands for many names. Only the shortest of them are shown.")
        )
    if found.page.looked_to:
        remarks.append(
            gettext("Looked back as far as ticket {number}; there are older ones.").format(
                number=found.page.looked_to
            )
        )
    return tuple(remarks)


def _states(chosen: str) -> tuple[Choice, ...]:
    words = {
        "": gettext("Any"),
        OPEN: gettext("Open"),
        OVER: gettext("Over"),
        **{state.value: str(STATE_MARKS[state].word) for state in State},
    }
    return tuple(Choice(value=v, words=w, chosen=v == chosen) for v, w in words.items())


def _risks(chosen: str) -> tuple[Choice, ...]:
    words = {"": gettext("Any"), **{risk: str(mark.word) for risk, mark in RISK_MARKS.items()}}
    return tuple(Choice(value=v, words=w, chosen=v == chosen) for v, w in words.items())
