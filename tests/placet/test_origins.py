"""Passkeys have one home, or none."""

import pytest

from placet.origins import passkey_origin


@pytest.mark.parametrize(
    ("origins", "home"),
    [
        (("http://127.0.0.1:8000", "http://localhost:8000"), "http://localhost:8000"),
        (("https://placet.example.org",), "https://placet.example.org"),
        (("http://placet.localhost:8000",), "http://placet.localhost:8000"),
        (("http://placet.example.org",), ""),
        (("https://192.0.2.7",), ""),
        (("https://[2001:db8::1]",), ""),
        ((), ""),
    ],
)
def test_a_name_with_tls_or_localhost_can_have_passkeys(origins: tuple[str, ...], home: str):
    assert passkey_origin(origins) == home
