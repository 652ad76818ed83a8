"""Chat services: a process of its own that reaches nothing inside."""

import json

import pytest

from approvals.carriers import chat
from approvals.carriers.errors import CarrierError, Refused
from tests.support.receivers import a_web_receiver


def send(url: str, **changes: object) -> None:
    chat.send(
        url, title="Placet: call #7", text="Call: robo", **({"allow_private": True} | changes)
    )


def test_a_message_reaches_the_service():
    with a_web_receiver() as service:
        service.answers = [200]
        send(service.url.replace("http://", "ntfy://") + "/topic-of-ours")
    (request,) = service.requests
    said = json.loads(request.body)
    assert said["topic"] == "topic-of-ours"
    assert (said["title"], said["message"]) == ("Placet: call #7", "Call: robo")


def test_a_private_address_is_refused_without_an_admins_word():
    with a_web_receiver() as service:
        address = service.url.replace("http://", "ntfy://") + "/topic-of-ours"
        with pytest.raises(Refused, match="loopback or private") as refused:
            send(address, allow_private=False)
    assert service.requests == []
    assert "topic-of-ours" not in str(refused.value)


def test_a_redirect_is_not_followed():
    with a_web_receiver() as elsewhere, a_web_receiver() as service:
        service.answers, service.location = [307], elsewhere.url
        with pytest.raises(CarrierError):
            send(service.url.replace("http://", "ntfy://") + "/topic")
    assert elsewhere.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "dbus://",
        "syslog://",
        "macosx://",
        "windows://",
        "gnome://",
        "blink1://x",
        "exec://ls",
        "json://example.org",
        "mailto://user:password@example.org",
        "rsyslog://example.org",
        "apprise://example.org/token",
        "discord",
        "",
        "slack://tokenA/tokenB/tokenC/#room?template=/etc/passwd",
        "discord://id/token?verify=no",
        "discord://id/token?redirect=yes",
        "discord://id/token?%74emplate=x",
        "discord://id/to\u202eken",
        "ntfys://" + "a" * 2000,
    ],
)
def test_an_address_that_could_act_on_this_machine_is_refused_before_anything_is_begun(
    url, monkeypatch
):
    monkeypatch.setattr(chat.subprocess, "run", None)
    with pytest.raises(Refused):
        send(url)


def test_no_local_scheme_is_among_the_services():
    assert not chat.SERVICES & {"dbus", "kde", "qt", "glib", "gio", "gnome", "macosx", "windows"}
    assert not chat.SERVICES & {
        "syslog",
        "rsyslog",
        "blink1",
        "json",
        "xml",
        "form",
        "smpp",
        "mqtt",
    }
