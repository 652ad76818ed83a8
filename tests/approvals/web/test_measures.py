"""The page of how decisions are made: everybody's for admins, one's own for everybody else."""

from tests.approvals.web.conftest import SignIn
from tests.support.builders import Cast, a_ticket
from tests.support.pages import text_of


def test_an_administrator_sees_everybody_and_a_reviewer_only_themselves(
    cast: Cast, signed_in: SignIn
):
    a_ticket(cast, arguments=b'{"n":1}').approved_by(cast.bob)
    a_ticket(cast, arguments=b'{"n":2}').rejected_by(cast.carol)

    whole = text_of(signed_in(cast.dora).get("/measures/").content)
    own = text_of(signed_in(cast.bob).get("/measures/?days=30").content)

    assert "carol" in whole
    assert "1 approved, 0 rejected" in whole
    assert "Show as a table" in whole
    assert "carol" not in own
    assert "1 approved, 0 rejected" in own


def test_who_decided_nothing_is_told_so(cast: Cast, signed_in: SignIn):
    a_ticket(cast).approved_by(cast.bob)
    assert "Nobody decided anything" in text_of(signed_in(cast.charlie).get("/measures/").content)


def test_pictures_need_no_inline_style(cast: Cast, signed_in: SignIn):
    a_ticket(cast).approved_by(cast.bob)
    page = signed_in(cast.dora).get("/measures/").content.decode()
    assert "<svg" in page
    assert "style=" not in page
