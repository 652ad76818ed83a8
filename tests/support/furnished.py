"""Databases in which a bridge stands already: making one by the services costs a test's worth."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from approvals.services import reviewers
from tests.support.bridge import Bridge, a_bridge
from tests.support.databases import copied, used


@dataclass(frozen=True)
class Furnished:
    """A database to copy, and the bridge whose rows are in it."""

    name: str
    _made: Bridge

    def bridge(self) -> Bridge:
        """The bridge, for one test. Nothing is believed of it that another test found out."""
        reviewers._reached.clear()
        return copy.deepcopy(self._made)


class Furnisher:
    """Makes one such database for each address of an upstream; `parts` ends them."""

    def __init__(self, template: str, folder: Callable[[], Path], parts: ExitStack) -> None:
        self._template = template
        self._folder = folder
        self._parts = parts
        self._by_url: dict[str, Furnished] = {}

    def at(self, url: str) -> Furnished:
        """The database whose bridge has its upstream there."""
        if url not in self._by_url:
            real = self._parts.enter_context(copied(self._folder(), self._template))
            with used(real):
                made = a_bridge(url)
            self._by_url[url] = Furnished(real.name, made)
        return self._by_url[url]
