"""The German catalogue: complete, with the same places as the English, and compiled."""

from __future__ import annotations

from django.utils import translation

from approvals.domain.errors import NotEligible
from approvals.domain.wording import Sentence, say, say_many
from approvals.presenters.words import told
from tests.support.catalogue import (
    CATALOGUE,
    Key,
    Message,
    compiled,
    in_catalogue,
    in_source,
    written,
)
from tests.support.refusals import every_refusal


def test_every_sentence_is_said_in_german():
    known = in_catalogue(CATALOGUE.read_text())
    wanted = in_source(every_refusal())

    missing = [key for key in wanted if key not in known or not known[key].is_translated]

    assert len(wanted) > 1000
    assert not missing, "run python -m tests.catalogue and translate: " + "; ".join(
        key.one for key in missing[:20]
    )


def test_a_translation_has_the_places_of_its_sentence():
    wrong = {
        message.key.one: message.misplaced()
        for message in in_catalogue(CATALOGUE.read_text()).values()
        if message.misplaced()
    }
    assert not wrong


def test_the_compiled_catalogue_is_that_of_the_words():
    known = in_catalogue(CATALOGUE.read_text())

    assert CATALOGUE.read_text() == written(known[key] for key in sorted(known))
    assert CATALOGUE.with_suffix(".mo").read_bytes() == compiled(
        known[key] for key in sorted(known)
    ), "run python -m tests.catalogue"


def test_a_place_that_is_lost_or_invented_is_noticed():
    key = Key("", "<b>{number}</b> of %(most)s")
    for said in ("<b>{number}</b> von", "{number} von %(most)s", "<b>{nummer}</b> %(most)s"):
        assert Message(key=key, said=(said,)).misplaced()
    assert not Message(key=key, said=("von %(most)s <b>{number}</b>",)).misplaced()


def test_a_sentence_is_english_until_it_is_told():
    refusal = NotEligible()
    plain = say("only {url}", url="x{y}")
    many = say_many("{number} byte", "{number} bytes", number=2000)

    assert refusal.message == "You are not a member of a group that decides on this ticket."
    assert (plain, many) == ("only x{y}", "2,000 bytes")
    assert isinstance(plain, Sentence)
    with translation.override("de"):
        assert told(refusal.message).startswith("Sie gehören keiner Gruppe an")
        assert told(plain) == "nur x{y}"
        assert told(many) == "2.000 Bytes"
        assert told("anything else") == "anything else"
    assert told(plain) == "only x{y}"
