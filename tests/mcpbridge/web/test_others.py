"""The one choice about an upstream's resources and prompts."""

from __future__ import annotations

import pytest
from django.test import Client

from approvals import api
from mcpbridge.administration import in_force
from mcpbridge.calls.forwarded import GOVERNED
from mcpbridge.models import Upstream
from tests.mcpbridge.web.conftest import SignIn
from tests.support.builders import Cast
from tests.support.pages import form_to, text_of

PAGE = "/manage/upstreams/files/"
CHOICE = PAGE + "others/"


@pytest.fixture(autouse=True)
def policy(cast: Cast, files: Upstream) -> int:
    return api.publish_policy(document={"rules": []})


def effects() -> set[str]:
    document = api.current_policy()[1]
    return {in_force(document, upstream="files", tool=name).effect.value for name in GOVERNED}


def test_nothing_is_allowed_until_an_admin_says_so(admin: Client):
    assert "No agent sees any of it." in text_of(admin.get(PAGE).content)


@pytest.mark.parametrize(("chosen", "effect"), [("all", "allow"), ("none", "deny")])
def test_the_choice_is_published_for_all_three_at_once(admin: Client, chosen: str, effect: str):
    values = form_to(admin.get(PAGE).content, CHOICE).values()
    answer = admin.post(CHOICE, {**values, "others": chosen}, follow=True)
    assert "Saved as policy version 2" in text_of(answer.content)
    assert effects() == {effect}


def test_the_same_choice_again_publishes_nothing(admin: Client):
    admin.post(CHOICE, {"version": "1", "others": "all"})
    answer = admin.post(CHOICE, {"version": "2", "others": "all"}, follow=True)
    assert "Nothing was changed" in text_of(answer.content)
    assert api.current_policy()[0] == 2


def test_what_a_file_tells_apart_is_shown_and_kept(admin: Client):
    rule = {"name": "reads", "tool": "resources/read", "effect": "allow"}
    api.publish_policy(document={"rules": [rule]})
    page = text_of(admin.get(PAGE).content)
    assert "Allowed: reading resources." in page
    answer = admin.post(CHOICE, {"version": "2", "others": ""})
    assert answer.status_code == 422
    assert api.current_policy()[0] == 2


def test_a_page_that_is_out_of_date_changes_nothing(admin: Client):
    answer = admin.post(CHOICE, {"version": "7", "others": "all"})
    assert answer.status_code == 409
    assert effects() == {"require_approval"}


def test_only_an_admin_may_choose(cast: Cast, signed_in: SignIn):
    answer = signed_in(cast.bob).post(CHOICE, {"version": "1", "others": "all"})
    assert answer.status_code in {302, 403, 404}
    assert effects() == {"require_approval"}
