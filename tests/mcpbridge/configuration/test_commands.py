"""`apply`, `export` and `issue_token` as somebody at a terminal meets them."""

import hashlib
from io import StringIO
from pathlib import Path

import pytest
import yaml
from django.core.management import CommandError, call_command

from mcpbridge.models import Agent, AgentToken, Upstream
from tests.mcpbridge.configuration.conftest import ENVIRONMENT, whole


@pytest.fixture
def file(tmp_path: Path, db: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FILES_AUTHORIZATION", ENVIRONMENT["FILES_TOKEN"])
    path = tmp_path / "placet.yaml"
    path.write_text(yaml.safe_dump(whole()), encoding="utf-8")
    return path


def run(*words: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command(*words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_a_file_is_shown_applied_and_then_found_applied(file: Path):
    shown, _ = run("apply", "--diff", str(file))
    assert "agents: robo is new" in shown
    assert not Agent.objects.exists()

    assert run("apply", str(file))[0] == shown
    assert run("apply", str(file))[0] == "nothing to change\n"


def test_what_export_prints_apply_takes_without_a_change(file: Path, tmp_path: Path):
    run("apply", str(file))
    printed, _ = run("export")
    again = tmp_path / "again.yaml"
    again.write_text(printed, encoding="utf-8")

    assert "s3cret" not in printed
    assert run("apply", str(again))[0] == "nothing to change\n"


def test_export_says_where_a_secret_seems_to_stand_in_clear_and_prints_it_all_the_same(
    file: Path, tmp_path: Path
):
    document = whole()
    document["upstreams"][1]["environment"] = {"LANG": "C", "API_KEY": "hunter22"}
    document["upstreams"][1]["command"] = ["serve", "--token", "hunter23", "--level=1"]
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    run("apply", str(file))

    printed, warned = run("export")

    assert "hunter22" in printed
    assert "hunter23" in printed
    assert "upstreams[1].environment.API_KEY looks like a secret" in warned
    assert "upstreams[1].command[2] looks like a secret" in warned
    assert "hunter" not in warned
    again = tmp_path / "again.yaml"
    again.write_text(printed, encoding="utf-8")
    assert run("apply", str(again))[0] == "nothing to change\n"


def test_a_file_comes_from_standard_input(file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdin", StringIO(file.read_text(encoding="utf-8")))

    assert "agents: robo is new" in run("apply", "-")[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a: [", "not YAML"),
        (b"\xff\xfe", "not UTF-8"),
        (b"users: 1", "users: "),
        (b"agents: []\nagents: []", "line 2"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_its_name(content: bytes, words: str, file: Path):
    file.write_bytes(content)

    with pytest.raises(CommandError, match=words) as refused:
        run("apply", str(file))
    assert str(file) in str(refused.value)


def test_a_file_that_is_not_there_is_said_so(file: Path):
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        run("apply", str(file.with_name("other.yaml")))


def test_an_export_that_cannot_open_a_secret_says_which(file: Path):
    run("apply", str(file))
    Upstream.objects.filter(name="files").update(sealed_secrets=b"\x00" * 40)

    with pytest.raises(CommandError, match="upstream files"):
        run("export")


def test_a_token_stands_alone_on_standard_output(file: Path):
    run("apply", str(file))

    out, err = run("issue_token", "robo", "--days", "7", "--label", "laptop")

    token = AgentToken.objects.get()
    assert hashlib.sha256(out.strip().encode()).digest() == bytes(token.digest)
    assert (out.count("\n"), token.label) == (1, "laptop")
    assert "not shown again" in err
    assert out.strip() not in err


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["nobody"], "there is no agent 'nobody'; known are robo"),
        (["robo", "--days", "0"], "1 to 366 days"),
        (["robo", "--label", "x" * 81], "80 characters"),
        (["robo", "--audience", "placet"], "MCP address"),
    ],
)
def test_a_token_that_cannot_be_issued_is_refused(words: list[str], answer: str, file: Path):
    run("apply", str(file))

    with pytest.raises(CommandError, match=answer):
        run("issue_token", *words)
    assert not AgentToken.objects.exists()
