"""The template tags: nothing foreign reaches the page but as escaped, isolated text."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.template import Context, Template
from hypothesis import given
from hypothesis import strategies as st

from approvals.domain.inspection import inspect
from approvals.templatetags.placet import ends, moment, untrusted


@given(st.text(max_size=300))
def test_untrusted_text_never_becomes_markup(text: str):
    shown = str(untrusted(inspect(text)))
    inside = shown.removeprefix("<bdi>").removesuffix("</bdi>")

    for part in inside.split('<span class="chip"')[1:]:
        assert part.startswith(' title="')
    bare = inside.replace('<span class="chip"', "").replace("</span>", "")
    assert "<" not in bare
    assert "\u202e" not in shown
    assert "\u200b" not in shown


@given(st.text(alphabet=st.sampled_from("ab/.-_<&"), min_size=20, max_size=60))
def test_places_to_break_add_nothing_to_what_is_shown(text: str):
    shown = inspect(f"{text} a\u202e{text}", identifier_like=True)

    broken = str(untrusted(shown))

    assert broken.replace("<wbr>", "") == str(untrusted(replace(shown, identifier_like=False)))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("/srv/reports/2026-q3.csv", "/<wbr>srv/<wbr>reports/<wbr>2026-<wbr>q3.csv"),
        ("https://files.example.test/mcp", "https://<wbr>files.<wbr>example.<wbr>test/<wbr>mcp"),
        ("delete_file", "delete_file"),
    ],
)
def test_a_long_name_may_break_where_its_parts_meet(name: str, shown: str):
    assert untrusted(name, "name") == f"<bdi>{shown}</bdi>"
    assert "<wbr>" not in untrusted(name)


@pytest.mark.parametrize("empty", [None, ""])
def test_nothing_is_shown_as_nothing(empty: str | None):
    assert untrusted(empty) == ""


def test_a_plain_string_is_inspected_too():
    assert untrusted("<b>") == "<bdi>&lt;b&gt;</bdi>"
    assert "[U+202E]" in untrusted("a\u202eb")


def test_a_run_of_the_same_character_is_counted():
    assert "[U+200B]\u00d73" in untrusted("a\u200b\u200b\u200bb")


def test_both_ends_of_a_cut_text_are_escaped():
    text = inspect("<head>" + "x" * 5000 + "<tail>")

    assert "&lt;head&gt;" in ends(text, "head")
    assert "&lt;tail&gt;" in ends(text, "tail")
    assert "bytes not shown" in untrusted(text)


def test_a_moment_is_absolute_and_carries_its_instant(monkeypatch: pytest.MonkeyPatch):
    at = datetime(2026, 11, 22, 9, 5, 7, tzinfo=UTC)
    monkeypatch.setattr("approvals.templatetags.placet.timezone.now", lambda: at)

    assert moment(at) == (
        '<time datetime="2026-11-22T09:05:07.000Z" data-moment="minutes">09:05 UTC</time>'
    )
    assert ">09:05:07 UTC<" in moment(at, "seconds")
    assert ">22 November 2026, 09:05 UTC<" in moment(at, "day")
    assert moment(None) == ""


@pytest.mark.parametrize("detail", ["minutes", "seconds"])
def test_a_moment_of_another_day_is_shown_with_its_day(
    monkeypatch: pytest.MonkeyPatch, detail: str
):
    at = datetime(2026, 11, 22, 9, 5, 7, tzinfo=UTC)
    for hours, whole in ((11, False), (24, True), (-24, True)):
        now = at + timedelta(hours=hours)
        monkeypatch.setattr("approvals.templatetags.placet.timezone.now", lambda now=now: now)

        assert (">22 November 2026, 09:05 UTC<" in moment(at, detail)) is whole
        assert ('data-moment="day"' in moment(at, detail)) is whole


def test_a_template_escapes_what_passes_through_the_tags():
    template = Template("{% load placet %}{% untrusted text %}{% icon name %}")

    page = template.render(Context({"text": "<i>", "name": '"><script>'}))

    assert "<i>" not in page
    assert "<script>" not in page
