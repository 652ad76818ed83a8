"""Passkeys, apps and recovery codes on a person's own account."""

import json
import re

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.test import Client

from approvals.audit.verification import verify
from approvals.models import AuditEvent, Notice
from placet.second_factors import SealedSecondFactors
from tests.approvals.web.conftest import SignIn
from tests.support.authenticator import Passkey
from tests.support.builders import Cast
from tests.support.pages import form_to, text_of

ADD = "/accounts/2fa/webauthn/add/"
HOME = settings.APPROVALS_PASSKEY_ORIGIN.removeprefix("http://")


def confirmed(client: Client, user) -> Client:
    """The client after its person typed their password once more."""
    client.defaults["HTTP_HOST"] = HOME
    password = f"{user.email.split('@')[0]}-long-password"
    answer = client.post("/accounts/reauthenticate/", {"password": password, "next": "/account/"})
    assert answer.status_code == 302, text_of(answer.content)
    return client


def challenge_on(page: bytes) -> str:
    found = re.search(rb'<script id="js_data" type="application/json">(.*?)</script>', page)
    assert found, text_of(page)
    options = json.loads(found[1])
    asked = options.get("creation_options") or options["request_options"]
    assert asked["publicKey"].get("rp", {}).get("id", asked["publicKey"].get("rpId")) == "localhost"
    return str(asked["publicKey"]["challenge"])


def added(client: Client, key: Passkey, **bent):
    credential = key.registered(challenge=challenge_on(client.get(ADD).content), **bent)
    return client.post(ADD, {"name": key.name, "credential": credential})


def acts() -> list[str]:
    rows = AuditEvent.objects.filter(subject__startswith="account:").order_by("pk")
    return list(rows.values_list("action", flat=True))


def test_adding_a_passkey_asks_for_the_password_first(cast: Cast, signed_in: SignIn):
    answer = signed_in(cast.bob).get(ADD)

    assert answer.status_code == 302
    assert "/accounts/reauthenticate/" in answer.url


def test_a_passkey_that_comes_and_goes_is_on_record_and_told(cast: Cast, signed_in: SignIn):
    client = confirmed(signed_in(cast.bob), cast.bob)

    assert added(client, Passkey()).status_code == 302
    key = Authenticator.objects.get(type="webauthn")
    index = text_of(client.get("/accounts/2fa/").content)
    client.post(f"/accounts/2fa/webauthn/keys/{key.pk}/remove/")

    assert "bob's key" in index
    assert acts() == ["passkey_added", "codes_made", "passkey_removed", "codes_removed"]
    assert not Authenticator.objects.exists()
    told = Notice.objects.filter(kind="credential")
    assert all(notice.people == [str(cast.bob.person_id)] for notice in told)
    assert {notice.key.split(":")[2] for notice in told} == set(acts())
    assert not verify()


@pytest.mark.parametrize("bent", [{"origin": "http://evil.localhost:8000"}, {"verified": False}])
def test_a_passkey_from_elsewhere_or_without_verification_is_not_added(
    cast: Cast, signed_in: SignIn, bent
):
    client = confirmed(signed_in(cast.bob), cast.bob)

    answer = added(client, Passkey(), **bent)

    assert answer.status_code == 200
    assert b"field-error" in answer.content or b"note-refuse" in answer.content
    assert not Authenticator.objects.exists()
    assert acts() == []


def test_a_passkey_signs_in_by_itself_and_only_from_home(cast: Cast):
    key = Passkey().given_to(cast.bob)
    client = Client(HTTP_HOST=HOME)
    login = "/accounts/2fa/webauthn/login/"

    def question() -> str:
        reply = client.get(login, headers={"X-Requested-With": "XMLHttpRequest"}).json()
        return str(reply["request_options"]["publicKey"]["challenge"])

    elsewhere = key.signs(question(), origin="http://evil.localhost:8000", user=cast.bob)
    client.post(login, {"credential": elsewhere})
    assert "_auth_user_id" not in client.session
    client.post(login, {"credential": key.signs(question(), user=cast.bob)})
    assert client.session["_auth_user_id"] == str(cast.bob.pk)


def test_with_a_passkey_a_password_alone_opens_nothing(cast: Cast):
    key = Passkey().given_to(cast.bob)
    client = Client(HTTP_HOST=HOME)

    answer = client.post(
        "/accounts/login/", {"login": cast.bob.email, "password": "bob-long-password"}
    )
    assert answer.url == "/accounts/2fa/authenticate/"
    assert client.get("/").status_code == 302

    page = client.get(answer.url).content
    client.post(answer.url, {"credential": key.signs(challenge_on(page))})
    assert client.get("/").status_code == 200


def test_opened_by_another_address_a_page_says_where_passkeys_work(cast: Cast, signed_in: SignIn):
    client = confirmed(signed_in(cast.bob), cast.bob)
    client.defaults["HTTP_HOST"] = HOME.replace("localhost", "127.0.0.1")

    for address in ("/accounts/2fa/", ADD):
        page = text_of(client.get(address).content)
        assert f"Passkeys work at another address of this page: http://{HOME}{address}" in page


def test_an_app_is_added_with_its_code_and_its_secret_is_sealed(cast: Cast, signed_in: SignIn):
    client = confirmed(signed_in(cast.bob), cast.bob)
    picture = "/accounts/2fa/totp/activate/code.svg"
    assert client.get(picture).status_code == 404
    page = client.get("/accounts/2fa/totp/activate/").content
    shown = client.get(picture)
    assert picture.encode() in page
    assert b"<svg" in shown.content
    assert (shown["Content-Type"], "no-store" in shown["Cache-Control"]) == ("image/svg+xml", True)
    assert signed_in(cast.carol).get(picture).status_code == 404
    assert Client().get(picture).status_code == 302
    secret = re.search(rb'id="secret"[^>]*>([A-Z2-7]+)<', page)[1].decode()
    counter = next(iter(totp.yield_hotp_counters_from_time()))
    code = totp.format_hotp_value(totp.hotp_value(secret, counter + 1))

    answer = client.post("/accounts/2fa/totp/activate/", {"code": code})

    assert answer.status_code == 302, text_of(answer.content)
    stored = Authenticator.objects.get(type="totp").data["secret"]
    assert secret not in stored
    assert SealedSecondFactors().decrypt(stored) == secret
    shown = client.get("/accounts/2fa/recovery-codes/")
    assert len(re.findall(rb"<li><code>\d{8}</code>", shown.content)) == 10
    client.post("/accounts/2fa/recovery-codes/generate/")
    client.post("/accounts/2fa/totp/deactivate/")
    assert acts()[0] == "totp_added"
    assert set(acts()) == {"totp_added", "codes_made", "codes_removed", "totp_removed"}


def test_a_secret_that_was_not_sealed_here_opens_nothing():
    for stored in ("JBSWY3DPEHPK3PXP", "sealed1:AAAA", "sealed1:" + "A" * 80):
        with pytest.raises(ImproperlyConfigured):
            SealedSecondFactors().decrypt(stored)


def test_a_form_without_a_credential_adds_nothing(cast: Cast, signed_in: SignIn):
    client = confirmed(signed_in(cast.bob), cast.bob)
    form = form_to(client.get(ADD).content, "/webauthn/add/")

    for credential in ("", "{}", "[]", "null", '{"rawId": 1}', '{"response": {}}', "x"):
        answer = client.post(ADD, form.values(credential=credential))
        assert answer.status_code == 200
    assert not Authenticator.objects.exists()


def test_an_operator_can_open_an_account_whose_owner_lost_everything(cast: Cast, capsys):
    Passkey().given_to(cast.bob)

    call_command("remove_factors", "BOB@example.test")

    assert capsys.readouterr().out.strip() == "passkey_removed"
    last = AuditEvent.objects.filter(subject__startswith="account:").latest("pk")
    assert (last.action, last.actor) == ("passkey_removed", "system:console")
    assert Notice.objects.filter(key__contains="passkey_removed").exists()
    with pytest.raises(CommandError, match="no account"):
        call_command("remove_factors", "nobody@example.test")
