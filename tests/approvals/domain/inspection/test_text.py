"""Untrusted text: nothing misleading is drawn, nothing is hidden in silence."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.domain.inspection import inspect, is_identifier, one_line
from approvals.domain.inspection.characters import Kind, kind_of, likeness, reads_as, scripts_mixed
from approvals.domain.inspection.findings import MARKS_IN_A_ROW
from approvals.domain.inspection.text import (
    HEAD_CHARS,
    ONE_LINE_CHARS,
    SHOWN_WHOLE_CHARS,
    SHOWN_WHOLE_LINES,
    TAIL_CHARS,
    byte_length,
)

any_text = st.text(st.characters(), max_size=60)
hostile = st.text(
    st.sampled_from(
        "ab \n\t\r\0\x1b\x85\u200b\u202e\u2066\ufeff\U000e0041\ud800\u00a0\ufe0f\u0301"
    ),
    max_size=60,
)


def kinds(text, **options):
    return [finding.kind for finding in inspect(text, **options).findings]


@pytest.mark.parametrize(
    ("text", "shown", "kind"),
    [
        ("a\u202eb", "a[U+202E]b", Kind.BIDI),
        ("a\u2066b", "a[U+2066]b", Kind.BIDI),
        ("a\u200fb", "a[U+200F]b", Kind.BIDI),
        ("a\u061cb", "a[U+061C]b", Kind.BIDI),
        ("a\u200bb", "a[U+200B]b", Kind.INVISIBLE),
        ("a\u200db", "a[U+200D]b", Kind.INVISIBLE),
        ("a\ufeffb", "a[U+FEFF]b", Kind.INVISIBLE),
        ("a\u00adb", "a[U+00AD]b", Kind.INVISIBLE),
        ("a\u3164b", "a[U+3164]b", Kind.INVISIBLE),
        ("a\u2800b", "a[U+2800]b", Kind.INVISIBLE),
        ("a\ufe0fb", "a[U+FE0F]b", Kind.INVISIBLE),
        ("a\U000e0100b", "a[U+E0100]b", Kind.INVISIBLE),
        ("a\ufff9b", "a[U+FFF9]b", Kind.INVISIBLE),
        ("a\u0600b", "a[U+0600]b", Kind.INVISIBLE),
        ("a\U000e0041b", "a[U+E0041]b", Kind.TAG),
        ("a\0b", "a[U+0000]b", Kind.CONTROL),
        ("a\x1b[31mb", "a[U+001B][31mb", Kind.CONTROL),
        ("a\x7fb", "a[U+007F]b", Kind.CONTROL),
        ("a\x9bb", "a[U+009B]b", Kind.CONTROL),
        ("a\rb", "a[U+000D]b", Kind.CONTROL),
        ("a\u2028b", "a[U+2028]b", Kind.CONTROL),
        ("a\ud800b", "a[U+D800]b", Kind.SURROGATE),
        ("a\udfffb", "a[U+DFFF]b", Kind.SURROGATE),
        ("a\ue000b", "a[U+E000]b", Kind.UNASSIGNED),
        ("a\U0010ffffb", "a[U+10FFFF]b", Kind.UNASSIGNED),
    ],
)
def test_a_character_that_misleads_becomes_a_chip_and_a_finding(text, shown, kind):
    inspected = inspect(text)
    assert inspected.shown == shown
    assert [f.kind for f in inspected.findings] == [kind]
    assert f"[U+{ord(text[1]):04X}]" in inspected.findings[0].words
    (chip,) = [segment for segment in inspected.head if segment.is_chip]
    assert chip.why


@given(any_text | hostile, st.booleans())
def test_what_is_drawn_holds_no_misleading_character(text, identifier_like):
    inspected = inspect(text, identifier_like=identifier_like)
    emoji_style = {"\ufe0f"}
    tolerated = set() if identifier_like else {"\n", "\t"}
    for segment in inspected.segments:
        for character in segment.text:
            kind = kind_of(character)
            if kind is Kind.SPACE:
                assert not identifier_like
            else:
                assert kind is None or character in tolerated | emoji_style


@given(any_text | hostile, st.booleans())
def test_nothing_of_a_short_text_is_lost(text, identifier_like):
    inspected = inspect(text, identifier_like=identifier_like)
    rebuilt = "".join(
        chr(int(s.text[3:-1], 16)) * s.count if s.is_chip else s.text for s in inspected.head
    )
    assert rebuilt == text
    assert not inspected.cut
    assert inspected.size == byte_length(text)


@given(any_text | hostile)
def test_a_chip_is_always_told_and_every_telling_has_a_chip(text):
    inspected = inspect(text)
    chips = sum(s.count for s in inspected.head if s.is_chip)
    assert sum(finding.count for finding in inspected.findings) == chips


def test_line_breaks_tabs_and_unusual_spaces_are_ordinary_in_prose_and_chips_in_names():
    text = "a\n\tb\u00a0c"
    assert inspect(text).shown == text
    assert inspect(text).findings == ()
    assert inspect(text, identifier_like=True).shown == "a[U+000A][U+0009]b[U+00A0]c"


def test_a_run_of_one_character_is_one_chip_with_its_count():
    inspected = inspect("a" + "\u200b" * 1000 + "b")
    assert [(s.text, s.count) for s in inspected.head] == [
        ("a", 1),
        ("[U+200B]", 1000),
        ("b", 1),
    ]
    assert "1,000 characters" in inspected.findings[0].words


def test_an_emoji_keeps_its_style_but_a_letter_gets_no_hidden_selector():
    assert inspect("\u2764\ufe0f").findings == ()
    assert kinds("a\ufe0f") == [Kind.INVISIBLE]
    assert kinds("\u2764\ufe0f\ufe0f") == [Kind.INVISIBLE]


def test_marks_stacked_on_one_letter_are_shown_as_chips_beyond_a_few():
    text = "e" + "\u0301" * (MARKS_IN_A_ROW + 3)
    assert kinds(text) == [Kind.COMBINING]
    assert inspect(text).findings[0].count == 3
    assert kinds("e" + "\u0301" * MARKS_IN_A_ROW) == []
    assert kinds(unicodedata.normalize("NFD", "Việt Nam, ได้ที่นี่, क्षि")) == []


def test_a_tag_character_says_which_letter_a_model_would_read():
    assert "'A'" in inspect("\U000e0041").findings[0].words


# -- names that pose as other names ---------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("p\u0430ypal.com", Kind.MIXED_SCRIPT, "Cyrillic and Latin"),
        ("g\u03bfogle.com", Kind.MIXED_SCRIPT, "Greek and Latin"),
        ("\u0441\u043e\u0441\u043e.com", Kind.CONFUSABLE, "is not “coco”"),
        ("\u03b1\u03b9\u03bf", Kind.CONFUSABLE, "is not “aio”"),
        ("\uff47\uff49\uff54", Kind.CONFUSABLE, "is not “git”"),
        ("\U0001d420it", Kind.CONFUSABLE, "is not “git”"),
        ("example.com\u2215@evil", Kind.CONFUSABLE, "is not “/”"),
        ("a\uff0fb", Kind.CONFUSABLE, "is not “/”"),
        ("evil\u3002com", Kind.CONFUSABLE, "is not “.”"),
        ("rm \u2013rf", Kind.CONFUSABLE, "is not “-”"),
    ],
)
def test_a_name_that_poses_as_another_is_flagged_in_words(text, kind, said):
    found = inspect(text, identifier_like=True).findings
    assert [finding.kind for finding in found] == [kind]
    assert said in found[0].words
    assert inspect(text).findings == ()


@pytest.mark.parametrize(
    "text",
    [
        "Отчёт/файл.txt",
        "東京タワー",
        "Tシャツ",
        "한국語",
        "αβγδ",
        "straße",
        "naïve",
        "Łódź",
        "שלום",
    ],
)
def test_honest_names_in_other_scripts_are_not_flagged(text):
    assert inspect(text, identifier_like=True).findings == ()


def test_scripts_and_likeness_of_words_and_letters():
    assert scripts_mixed("abc") == ()
    assert scripts_mixed("a\u0431") == ("CYRILLIC", "LATIN")
    assert scripts_mixed("\u0431\u6771") == ("CYRILLIC", "HAN")
    assert reads_as("\u0441\u043e") == "co"
    assert reads_as("\u0431\u043e") == ""
    assert likeness("a") == ""


def test_many_posing_words_are_counted_and_only_some_are_named():
    text = " ".join(f"{'a' * n}\u0430" for n in range(1, 50))
    (found,) = inspect(text, identifier_like=True).findings
    assert found.count == 49
    assert found.words.count("“") == 3


# -- long texts -----------------------------------------------------------------------------


@given(
    st.integers(0, 3 * SHOWN_WHOLE_CHARS), st.sampled_from(["a", "ä", "語", "\U0001f600", "a\n"])
)
def test_a_cut_text_tells_exactly_how_many_bytes_are_not_shown(length, unit):
    text = unit * length
    inspected = inspect(text)
    shown = sum(byte_length(segment.text) for segment in inspected.segments)
    assert inspected.size == len(text.encode())
    assert shown + inspected.hidden == inspected.size
    assert inspected.cut is (len(text) > SHOWN_WHOLE_CHARS or text.count("\n") >= SHOWN_WHOLE_LINES)


def test_a_long_text_shows_its_head_and_tail_and_whole_when_opened():
    text = "H" * 5000 + "T" * 5000
    inspected = inspect(text)
    assert inspected.head[0].text == "H" * HEAD_CHARS
    assert inspected.tail[0].text == "T" * TAIL_CHARS
    assert inspected.cut
    opened = inspect(text, whole=True)
    assert (opened.shown, opened.cut, opened.tail) == (text, False, ())


def test_many_short_lines_are_long_too():
    inspected = inspect("\n".join(map(str, range(100))))
    assert inspected.cut
    assert inspected.head[0].text.startswith("0\n1\n")
    assert inspected.tail[0].text.endswith("98\n99")


def test_what_stands_in_the_cut_part_is_still_told():
    text = "a" * 2000 + "\u202e" + "a" * 2000
    inspected = inspect(text)
    assert "[U+202E]" not in inspected.shown
    assert [finding.kind for finding in inspected.findings] == [Kind.BIDI]


def test_megabytes_of_hostile_text_are_inspected_in_a_moment():
    text = "\u200b\u202e\u0430a\U000e0041" * 200_000
    began = time.process_time()
    inspect(text, identifier_like=True)
    assert time.process_time() - began < 5


# -- one line -------------------------------------------------------------------------------


@given(any_text | hostile, st.integers(1, 100))
def test_one_line_is_one_short_line_of_visible_characters(text, limit):
    line = one_line(text, limit=limit)
    assert len(line) <= limit
    assert "\n" not in line
    assert all(kind_of(c) is None or c == "\ufe0f" for c in line)


def test_one_line_keeps_a_short_text_and_labels_what_misleads():
    assert one_line("delete main") == "delete main"
    assert one_line("a\nlog: ok\u202e") == "a[U+000A]log: ok[U+202E]"
    assert one_line("x" * 1000) == "x" * (ONE_LINE_CHARS - 1) + "…"


@pytest.mark.parametrize(
    ("name", "text", "is_name"),
    [
        ("message", "Fix the build", False),
        ("message", "Привет, мир", False),
        ("message", "fix", True),
        ("repo_path", "/srv/my repo", True),
        ("repoPath", "/srv/my repo", True),
        ("to", "a b", True),
        ("recipient_email", "a b", True),
        ("command", "rm -rf /", True),
        ("urls", "a b", True),
        ("content", "line one\nline two", False),
        ("path", "x" * 600, False),
    ],
)
def test_names_are_told_from_prose_by_their_key_or_their_shape(name, text, is_name):
    assert is_identifier(name, text) is is_name
