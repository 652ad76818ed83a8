"""The German catalogue: complete, with the same places as the English, and compiled."""

from __future__ import annotations

import ast

from django.utils import translation

from approvals.domain.errors import NotEligible
from approvals.domain.wording import Sentence, say, say_many
from approvals.presenters.words import told
from tests.support.catalogue import (
    CATALOGUE,
    ROOT,
    Key,
    Message,
    compiled,
    in_catalogue,
    in_source,
    written,
)
from tests.support.refusals import every_refusal

# Broken records and documents are told in the words of the files that they stand in.
FOR_OPERATORS = {"AuditBroken", "IllegalTransition", "PolicyInvalid"}


def test_every_sentence_is_said_in_german():
    known = in_catalogue(CATALOGUE.read_text())
    wanted = in_source(every_refusal())

    missing = [key for key in wanted if key not in known or not known[key].is_translated]

    assert len(wanted) > 1000
    assert not missing, "run python -m tests.catalogue and translate: " + "; ".join(
        key.one for key in missing[:20]
    )


def unsaid_in(source: str, refusals: set[str]) -> list[str]:
    """The refusals that a module gives in words that no catalogue knows."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in refusals
        and node.args
        and isinstance(node.args[0], ast.Constant | ast.JoinedStr)
    ]


def test_a_refusal_in_words_of_its_own_can_be_translated():
    refusals = {refusal.__name__ for refusal in every_refusal()} - FOR_OPERATORS
    modules = [
        path
        for folder in ("services", "transitions")
        for path in (ROOT / "approvals" / folder).rglob("*.py")
    ]
    assert not [words for path in modules for words in unsaid_in(path.read_text(), refusals)]
    for spelled in ('Expired("late")', 'Expired(f"{x} s late")'):
        assert unsaid_in(spelled, refusals) == [spelled.replace('"', "'")]


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
