"""Tokens: shown once, kept as a digest, ended at once with what they opened."""

import hashlib
import re
from datetime import timedelta

import pytest
from django.utils import timezone

from approvals import api
from approvals.models import AuditEvent
from mcpbridge.administration import Refused, issue_token, revoke_token
from mcpbridge.models import Agent, AgentToken
from tests.mcpbridge.administration.conftest import ACTOR
from tests.support.builders import Cast, a_ticket


def test_a_token_is_256_random_bits_of_which_only_the_digest_stays(robo: Agent):
    issued = issue_token(actor=ACTOR, agent=robo, label="laptop")

    row = AgentToken.objects.get()
    assert re.fullmatch(r"placet_[A-Za-z0-9_-]{43}", issued.secret)
    assert bytes(row.digest) == hashlib.sha256(issued.secret.encode()).digest()
    assert (row.hint, row.label, row.scopes) == (issued.secret[-4:], "laptop", ["mcp"])
    assert row.expires_at == issued.expires_at
    left = row.expires_at - timezone.now()
    assert timedelta(days=89) < left <= timedelta(days=90)
    assert issued.secret not in repr(issued)
    assert issued.secret not in str(list(AuditEvent.objects.values()))
    assert issue_token(actor=ACTOR, agent=robo).secret != issued.secret


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"days": 0}, "days"),
        ({"days": 367}, "days"),
        ({"label": "x" * 81}, "label"),
        ({"audience": "placet"}, "audience"),
        ({"audience": "https:///mcp"}, "audience"),
        ({"audience": "https://placet.example/#x"}, "audience"),
        ({"audience": "https://[placet/mcp"}, "audience"),
        ({"audience": "https://placet.example/" + "x" * 200}, "audience"),
    ],
)
def test_a_bad_term_label_or_audience_is_refused(asked: dict, field: str, robo: Agent):
    with pytest.raises(Refused) as refused:
        issue_token(actor=ACTOR, agent=robo, **asked)
    assert refused.value.field == field
    assert not AgentToken.objects.exists()


def test_a_disabled_agent_gets_no_token(robo: Agent):
    robo.enabled = False

    with pytest.raises(Refused, match="robo is disabled"):
        issue_token(actor=ACTOR, agent=robo)


def test_revoking_cancels_what_the_token_opened_and_nothing_else(cast: Cast, robo: Agent):
    ended, other = (issue_token(actor=ACTOR, agent=robo) for _ in range(2))
    walk = a_ticket(cast, agent_id=robo.pk, token_id=ended.token_id).approved_by(cast.bob)
    stays = a_ticket(
        cast, agent_id=robo.pk, token_id=other.token_id, arguments=b'{"path":"/tmp/other"}'
    ).pending()
    epoch = api.gate().epoch

    revoke_token(actor=ACTOR, token_id=ended.token_id)

    assert walk.view.cancel_reason is api.CancelReason.TOKEN_REVOKED
    assert stays.view.state is api.State.PENDING
    assert api.gate().epoch > epoch
    assert AgentToken.objects.get(pk=ended.token_id).revoked_at is not None


def test_revoking_twice_records_it_once(robo: Agent):
    issued = issue_token(actor=ACTOR, agent=robo)

    first = revoke_token(actor=ACTOR, token_id=issued.token_id).revoked_at
    second = revoke_token(actor=ACTOR, token_id=issued.token_id).revoked_at

    assert first == second
    assert AuditEvent.objects.filter(action="token_revoked").count() == 1
