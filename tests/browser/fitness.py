"""Looks at a page in every way in which somebody may, after loading it once.

The ways are put together so that few layouts serve many demands: what holds on the narrowest
screen, from right to left, with letters set apart, holds for each of these alone. Knows no page.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize

DESK: Final[ViewportSize] = {"width": 1280, "height": 900}
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
ZOOMED: Final[ViewportSize] = {"width": 320, "height": 640}  # 1280 px at 400 % (WCAG 1.4.10)
PAPER: Final[ViewportSize] = {"width": 718, "height": 900}  # A4 between its margins
ROWS: Final = 8  # of each table are looked at
LETTERS: Final = 16  # px, as browsers have it; twice that is 200 % (WCAG 1.4.4)
MEASURES: Final = Path(__file__).with_name("fitness.js").read_text()
EVERY: Final = 1 if os.environ.get("FIT") == "all" else 3
"""Which pages are looked at: each so many-th, or with FIT=all in the environment every one."""
RUN_AXE: Final = "options => axe.run(options).then(found => found.violations)"


class Inspector:
    """Takes one page after another through all the ways; `problems` says what it found where."""

    def __init__(self, page: Page, *, every: int = 1) -> None:
        self.page = page
        self._every = every  # so many-th page that is handed over is judged
        self._seen = 0
        self.problems: list[str] = []
        self.address = ""
        self.way = ""
        self._browser = page.context.new_cdp_session(page)

    def look_at(self, address: str) -> None:
        """Load the page and judge it."""
        self.page.goto(address)
        self.judge(address)

    def judge(self, name: str) -> None:
        """Judge the page that is there; its rows and folds, and where it is read, are changed."""
        self._seen += 1
        if self._seen % self._every:
            return
        self.address = name
        self.page.evaluate(Axe().axe_script)
        self.page.evaluate(MEASURES)
        self.page.evaluate("rows => fitness.shorten(rows)", ROWS)
        self._on_paper()
        self._at_a_desk()
        self._on_a_phone()
        self._zoomed_in_and_mirrored()
        self._with_large_letters()

    def _on_paper(self) -> None:
        self.way = "printed"
        self.page.set_viewport_size(PAPER)
        self.page.emulate_media(media="print", color_scheme="dark")
        self._measure("unprinted", "wide")
        self.page.emulate_media(media="screen", color_scheme="light")

    def _at_a_desk(self) -> None:
        self.way = "at a desk"
        self.page.set_viewport_size(DESK)
        self._measure("wide", "small")
        self._axe()

    def _on_a_phone(self) -> None:
        """Colours come from tokens that know no width; axe looks at the rest in one of the two."""
        self.way = "on a phone, dark"
        self.page.set_viewport_size(PHONE)
        self.page.emulate_media(color_scheme="dark")
        self.page.evaluate("fitness.unfold()")
        self._measure("wide", "small")
        self._axe("color-contrast", "target-size")
        self.page.keyboard.press("Tab")  # from here on the focus is one of a keyboard
        self._measure("lost")

    def _zoomed_in_and_mirrored(self) -> None:
        self.way = "at 400 %, right to left, letters apart, without motion, in the reader's colours"
        self.page.set_viewport_size(ZOOMED)
        self.page.emulate_media(
            color_scheme="light", reduced_motion="reduce", forced_colors="active"
        )
        self.page.evaluate("fitness.direct('rtl'); fitness.space(true)")
        self._measure("wide", "moving", "faint")
        self.page.emulate_media(reduced_motion="no-preference", forced_colors="none")
        self.page.evaluate("fitness.direct('ltr'); fitness.space(false)")

    def _with_large_letters(self) -> None:
        self._letters(2 * LETTERS)
        for way, size in (("on a phone", PHONE), ("at a desk", DESK)):
            self.way = f"with letters of 200 % {way}"
            self.page.set_viewport_size(size)
            self._measure("wide")
        self._letters(LETTERS)

    def _letters(self, px: int) -> None:
        sizes = {"standard": px, "fixed": px * 13 // 16}
        self._browser.send("Page.setFontSizes", {"fontSizes": sizes})

    def _measure(self, *measures: str) -> None:
        calls = ", ".join(f"...fitness.{measure}()" for measure in measures)
        self._note(self.page.evaluate(f"[{calls}]"))

    def _axe(self, *rules: str) -> None:
        """What axe finds, by these rules or by all."""
        options: dict[str, object] = {"resultTypes": ["violations"]}
        if rules:
            options["runOnly"] = {"type": "rule", "values": rules}
        found = self.page.evaluate(RUN_AXE, options)
        self._note(
            f"{violation['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
            for violation in found
            for node in violation["nodes"]
        )

    def _note(self, found: object) -> None:
        assert hasattr(found, "__iter__")
        self.problems += [f"{self.address}, {self.way}: {problem}" for problem in found]
