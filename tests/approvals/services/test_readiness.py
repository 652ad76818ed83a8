"""Rules that ask for what their reviewers do not have are named before a call waits for them."""

from typing import Any

import pytest
from allauth.mfa.totp.internal import auth as totp

from approvals.services.readiness import unready_rules
from tests.support.authenticator import Passkey
from tests.support.builders import Cast


def asking(step_up: str, quorum: int = 1) -> dict[str, Any]:
    obligations = {"step_up": step_up, "groups": ["reviewers"], "quorum": quorum}
    rule = {"name": "risky", "effect": "require_approval", "obligations": obligations}
    return {"rules": [rule]}


def test_a_group_without_passkeys_is_named_until_enough_have_one(cast: Cast):
    (found,) = unready_rules(asking("passkey"))
    assert (found.rule, found.groups, found.have, found.need) == ("risky", ("reviewers",), 0, 1)
    assert "rule 'risky' asks 1 of reviewers for a passkey, but only 0" in str(found)

    Passkey().given_to(cast.bob)
    assert unready_rules(asking("passkey")) == ()
    assert [each.have for each in unready_rules(asking("passkey", 2))] == [1]


def test_of_one_upstream_only_the_rules_that_can_match_it_are_named(cast: Cast):
    document = asking("passkey")
    document["rules"][0]["upstream"] = "pay-*"
    assert unready_rules(document, upstream="pay-eu") == unready_rules(document) != ()
    assert unready_rules(document, upstream="git") == ()


def test_an_app_does_where_a_code_does(cast: Cast):
    totp.TOTP.activate(cast.bob, totp.generate_totp_secret())
    assert unready_rules(asking("passkey_or_totp")) == ()
    assert unready_rules(asking("passkey")) != ()


def test_a_key_of_somebody_else_or_of_a_closed_account_helps_nobody(cast: Cast):
    Passkey().given_to(cast.charlie)
    Passkey().given_to(cast.bob)
    cast.bob.is_active = False
    cast.bob.save()
    assert unready_rules(asking("passkey")) != ()


@pytest.mark.parametrize("document", [{}, {"rules": []}, {"rules": 1}, asking("none")])
def test_where_nothing_is_asked_or_readable_nothing_is_said(db: None, document):
    assert unready_rules(document) == ()
