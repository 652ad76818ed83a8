"""Words that leave in a message: one line, visible, and nothing in them acts."""

import re

import pytest

from approvals.domain.outward import ELLIPSIS, outward

ACTING = [
    "https://evil.example/x",
    "www.evil.example",
    "evil.example",
    "deploy.sh",
    "[click](https://evil.example)",
    "![x](https://evil.example/p.png)",
    "<https://evil.example|bank>",
    "<!channel>",
    "@everyone",
    "<@U123>",
    "eve@evil.example",
    "#general",
    "*bold* _slanted_ ~~gone~~ `code` ||hidden||",
    "__proto__",
    "&lt;!channel&gt;",
    ":skull:",
    "\\[x\\]",
    "a\nSubject: b",
    "a\r\nBcc: eve@evil.example",
    "\u202egnp.exe",
    "\x1b[31mred\x1b[0m",
    "zero\u200bwidth",
    "tag\U000e0041s",
    "{U+202E}",
]


@pytest.mark.parametrize("text", ACTING)
def test_nothing_that_any_reader_of_messages_acts_on_is_left(text):
    shown = outward(text)
    plain = re.sub(r"\{[^{}]*\}", "\0", shown)
    assert plain.isprintable() or "\0" in plain
    assert not set("\r\n\x1b\u202e\u200b*~`|<>[]\\@#&") & set(plain)
    assert "://" not in shown
    assert not re.search(r"\w\.[^\W\d]", plain)
    assert not re.search(r"(?<!\w)_|_(?!\w)", plain)
    assert shown != text


def test_what_acts_on_nothing_stays_as_it_is():
    assert outward("delete_branch") == "delete_branch"
    assert outward("branch: main, force: true") == "branch: main, force: true"
    assert outward("version 1.2.3 (beta)") == "version 1.2.3 (beta)"
    assert outward("/srv/data/report") == "/srv/data/report"


def test_what_was_changed_can_still_be_read():
    assert outward("deploy.sh") == "deploy{.}sh"
    assert outward("@everyone") == "{@}everyone"
    assert outward("a\u202eb") == "a{U+202E}b"
    assert outward("*") == "{U+002A}"
    assert outward("a[U+202E]b") == "a{U+202E}b"  # inspected before


def test_a_long_text_is_cut_and_says_so():
    assert outward("x" * 1_000_000, most=10) == "x" * 11 + ELLIPSIS
    assert outward("x" * 10, most=10) == "x" * 10


def test_a_cut_never_leaves_half_a_spelling():
    for length in range(1, 40):
        shown = outward("*" * 100, most=length)
        assert shown.count("{") == shown.count("}")
        assert len(shown) <= 2 * length + 1
