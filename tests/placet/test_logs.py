"""Log lines: one record a line, secrets struck out, correlated."""

import json
import logging
import sys
import time
from collections.abc import Iterator

import pytest

from placet.logs import TICKET, TRACE, JsonLines, redact, trace_id
from tests.support.hostile import HOSTILE

TOKEN = "placet_" + "A" * 43
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ"


def line(message: str, *args: object, **extra: object) -> dict[str, object]:
    record = logging.LogRecord("placet.test", logging.INFO, __file__, 1, message, args, None)
    vars(record).update(extra)
    text = JsonLines().format(record)
    assert "\n" not in text
    found: dict[str, object] = json.loads(text)
    return found


@pytest.fixture
def correlated() -> Iterator[None]:
    tokens = TICKET.set("0192-ticket"), TRACE.set("a" * 32)
    yield
    TICKET.reset(tokens[0])
    TRACE.reset(tokens[1])


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"Authorization: Bearer {TOKEN}", TOKEN),
        ("authorization=Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA=="),
        (f"the agent sent {TOKEN} in its body", TOKEN),
        ("postgres://placet:hunter22@db:5432/placet", "hunter22"),
        ("redis://:hunter22@cache:6379/0", "hunter22"),
        ('{"password": "hunter22", "user": "alice"}', "hunter22"),
        ("{'api_key': 'hunter22'}", "hunter22"),
        ("password=hunter22", "hunter22"),
        ("retry with client_secret=hunter22&scope=all", "hunter22"),
        ("Cookie: first=1; sessionid=hunter22hunter22; other=1", "hunter22"),
        ("Cookie: csrftoken=x; theirs=hunter22", "hunter22"),
        ("Set-Cookie: placet=hunter22hunter22", "hunter22"),
        ("PLACET_SEALING_KEY=hunter22", "hunter22"),
        ("token ghp_" + "a" * 36, "ghp_aaaa"),
        (f"id_token {JWT}", JWT),
        ("-----BEGIN PRIVATE KEY-----\nhunter22\n-----END PRIVATE KEY-----", "hunter22"),
        ("cut short -----BEGIN EC PRIVATE KEY-----\nhunter22", "hunter22"),
    ],
)
def test_what_looks_like_a_secret_is_struck_out(text: str, secret: str) -> None:
    assert secret not in redact(text)
    assert "[redacted]" in redact(text)
    assert secret not in json.dumps(line("%s", text))


@pytest.mark.parametrize(
    "text",
    [
        "claimed ticket 4131 for git.git_commit",
        "GET /tickets/0192f1d2-7b8e-7f00-8000-000000000000/ 200",
        "redis://cache:6379/0 answers",
        "a token was refused",
        "the password of alice was changed",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "unit", ["token", "eyJ-", "eyJaaaaaaaa.", "bearer ", "://a:", "cookie ", "-----BEGIN A", "a-"]
)
def test_a_hostile_message_is_redacted_in_linear_time(unit: str) -> None:
    text = f"Not Found: /({unit * (16_384 // len(unit))}"
    began = time.process_time()
    redact(text)
    assert time.process_time() - began < 0.5  # quadratic patterns take seconds


def test_what_is_struck_out_keeps_its_name() -> None:
    assert redact("password=hunter22 next") == "password=[redacted] next"


def test_a_message_over_several_lines_is_one_line() -> None:
    assert line("one\ntwo\r\nthree\u2028four")["message"] == "one\ntwo\r\nthree\u2028four"


def test_extras_become_fields_and_are_redacted_too() -> None:
    found = line("sent", upstream="git", attempt=2, token="hunter22", note=f"with {TOKEN}")
    assert (found["upstream"], found["attempt"]) == ("git", 2)
    assert found["token"] == "[redacted]"
    assert TOKEN not in str(found["note"])


@pytest.mark.usefixtures("correlated")
def test_lines_carry_the_ticket_and_the_trace_of_their_context() -> None:
    found = line("claimed")
    assert (found["ticket"], found["trace_id"]) == ("0192-ticket", "a" * 32)
    assert line("claimed", ticket="other")["ticket"] == "other"


def test_an_exception_is_a_field_without_secrets() -> None:
    try:
        raise ValueError(f"refused {TOKEN}")
    except ValueError:
        record = logging.LogRecord(
            "placet", logging.ERROR, __file__, 1, "failed", (), sys.exc_info()
        )
    text = JsonLines().format(record)
    assert TOKEN not in text
    assert "ValueError" in json.loads(text)["exception"]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("00-" + "a" * 32 + "-" + "b" * 16 + "-01", "a" * 32),
        ("00-" + "0" * 32 + "-" + "b" * 16 + "-01", ""),
        ("00-" + "a" * 32 + "-" + "0" * 16 + "-01", ""),
        ("00-" + "A" * 32 + "-" + "b" * 16 + "-01", ""),
        ("garbage", ""),
        ("", ""),
    ],
)
def test_a_trace_id_comes_from_a_well_formed_header_only(header: str, expected: str) -> None:
    assert trace_id(header) == expected


def test_a_hostile_text_in_a_record_is_one_line_of_plain_ascii():
    for hostile in HOSTILE:
        record = logging.makeLogRecord(
            {"msg": "Refused %s.", "args": (hostile.text,), "tool": hostile.text}
        )
        line = JsonLines().format(record)

        assert line.isascii()
        assert line.isprintable()
        assert "tool" in json.loads(line)
