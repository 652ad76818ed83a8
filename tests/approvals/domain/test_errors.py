"""Every refusal says something to a person and something stable to a program."""

import pytest

from approvals.domain import errors
from approvals.domain.errors import Refusal, StaleDigest, TooManyOpenTickets

ALL = [
    found
    for found in vars(errors).values()
    if isinstance(found, type) and issubclass(found, Refusal) and found is not Refusal
]


@pytest.mark.parametrize("refusal", ALL, ids=lambda r: r.__name__)
def test_a_refusal_speaks_in_its_docstring_and_has_a_stable_code(refusal):
    made = refusal()
    assert str(made) == " ".join(refusal.__doc__.split())
    assert made.code.replace("_", "") == refusal.__name__.lower()
    assert made.kind in {"conflict", "forbidden", "invalid", "unavailable", "broken"}


def test_codes_are_distinct():
    assert len({refusal.code for refusal in ALL}) == len(ALL)


def test_a_refusal_carries_details_and_may_speak_more_exactly():
    refused = TooManyOpenTickets("20 tickets are open", limit=20)
    assert (str(refused), refused.details) == ("20 tickets are open", {"limit": 20})
    assert StaleDigest().details == {}


def test_a_refusal_without_a_message_cannot_be_defined():
    with pytest.raises(TypeError, match="docstring"):
        type("Silent", (Refusal,), {})
