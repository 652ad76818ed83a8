"""The environment is refused as a whole, by name, and never half-believed."""

import base64
import stat
import threading
from pathlib import Path

import pytest

from placet.env import EnvironmentRefused, read_environment
from placet.keys import KeyRefused, make_private_folder, read_keys

SEALING = base64.b64encode(b"s" * 32).decode()
CHECKPOINT = base64.b64encode(b"c" * 32).decode()


def refusal(tmp_path: Path, **variables: str) -> str:
    with pytest.raises(EnvironmentRefused) as refused:
        read_environment(variables, root=tmp_path)
    return str(refused.value)


def test_an_empty_environment_is_the_embedded_default(tmp_path: Path) -> None:
    env = read_environment({}, root=tmp_path)
    assert env.port == 8000
    assert env.data_dir == tmp_path / "var"
    assert env.sample
    assert env.database.engine == "sqlite3"
    assert env.database.name == str(tmp_path / "var" / "placet.sqlite3")
    assert env.redis_url == f"unix://:{env.keys.broker_password}@{env.run_dir}/valkey.sock"
    assert len(env.keys.broker_password) == 64
    assert not env.external_redis
    assert env.public_url == "http://127.0.0.1:8000"
    assert env.origins == ("http://127.0.0.1:8000", "http://localhost:8000")
    assert env.allowed_hosts == ("127.0.0.1", "localhost", "[::1]")
    assert env.timing.lease == 30
    assert env.retention_days == 30
    assert not env.one_person


def test_the_embedded_database_is_for_its_owner_alone_in_whatever_folder(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir(mode=0o755)
    read_environment({}, root=tmp_path)
    rows = tmp_path / "var" / "placet.sqlite3"
    assert stat.S_IMODE(rows.stat().st_mode) == 0o600
    rows.write_bytes(b"kept")
    read_environment({}, root=tmp_path)
    assert rows.read_bytes() == b"kept"


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("PLACET_PORT", "eighty", "a whole number from 0 to 65535"),
        ("PLACET_PORT", "65536", "a whole number from 0 to 65535"),
        ("PLACET_PORT", "-1", "a whole number from 0 to 65535"),
        ("PLACET_PORT", "٨٠٠٠", "a whole number from 0 to 65535"),
        ("PLACET_SAMPLE", "maybe", "1 or 0"),
        ("PLACET_ONE_PERSON", "2", "1 or 0"),
        ("PLACET_TELL_PRIVATE", "2", "1 or 0"),
        ("PLACET_ADMIN_EMAIL", "nobody", "an e-mail address"),
        ("PLACET_ADMIN_EMAIL", "a b@example.org", "an e-mail address"),
        ("PLACET_PUBLIC_URL", "placet.example.org", "an origin such as https://"),
        ("PLACET_PUBLIC_URL", "https://placet.example.org/path", "an origin such as https://"),
        ("PLACET_PUBLIC_URL", "https://me@placet.example.org", "an origin such as https://"),
        ("PLACET_PUBLIC_URL", "https://placet.example.org:port", "an origin such as https://"),
        ("PLACET_PUBLIC_URL", "ftp://placet.example.org", "an origin such as https://"),
        ("PLACET_LOG_LEVEL", "loud", "one of DEBUG, INFO"),
        ("PLACET_TRUSTED_PROXY_COUNT", "11", "a whole number from 0 to 10"),
        ("PLACET_MAX_BODY_BYTES", "12", "a whole number from 1024"),
        ("PLACET_RUN_DIR", "relative", "an absolute path of at most"),
        ("PLACET_RUN_DIR", "/" + "x" * 90, "an absolute path of at most"),
        ("PLACET_LEASE_SECONDS", "0", "a number of seconds above 0"),
        ("PLACET_LEASE_SECONDS", "nan", "a number of seconds above 0"),
        ("PLACET_LEASE_SECONDS", "1.5", "at least twice PLACET_SWEEP_SECONDS"),
        ("PLACET_RETENTION_DAYS", "0", "a whole number from 1"),
        ("PLACET_CHECKPOINT_EXPORT_DIR", "beside", "an absolute path"),
        ("PLACET_WORKER_THREADS", "0", "a whole number from 1 to 256"),
    ],
)
def test_a_bad_variable_is_named_with_what_is_expected(
    tmp_path: Path, variable: str, value: str, expected: str
) -> None:
    said = refusal(tmp_path, **{variable: value})
    assert f"{variable} is {value!r}; expected {expected}" in said


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DATABASE_URL", "mysql://user:hunter22@host/name"),
        ("DATABASE_URL", "postgres://user:hunter22@host:5432/"),
        ("DATABASE_URL", "postgres://user:hunter22@host:port/name"),
        ("DATABASE_URL", "sqlite://hunter22/name"),
        ("REDIS_URL", "amqp://user:hunter22@host"),
        ("REDIS_URL", "redis:///hunter22"),
        ("PLACET_SMTP_URL", "https://user:hunter22@host"),
        ("PLACET_SMTP_URL", "smtp://user:hunter22@host:port"),
        ("PLACET_SEALING_KEY", "hunter22"),
        ("PLACET_CHECKPOINT_KEY", "hunter22"),
        ("PLACET_SECRET_KEY", "hunter22"),
    ],
)
def test_a_bad_variable_that_may_hold_a_secret_is_named_without_its_value(
    tmp_path: Path, variable: str, value: str
) -> None:
    said = refusal(tmp_path, **{variable: value})
    assert variable in said
    assert "hunter22" not in said


def test_mail_may_be_printed_instead_of_sent(tmp_path: Path) -> None:
    env = read_environment({"PLACET_SMTP_URL": "console:"}, root=tmp_path)
    assert env.smtp_url == "console:"


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    said = refusal(tmp_path, PLACET_PORT="x", PLACET_SAMPLE="y", DATABASE_URL="z")
    named = [line.split()[1] for line in said.splitlines() if line.startswith("  - ")]
    assert sorted(named) == ["DATABASE_URL", "PLACET_PORT", "PLACET_SAMPLE"]


def test_a_postgres_address_is_taken_apart(tmp_path: Path) -> None:
    url = "postgres://me:p%40ss@db.example.org:5433/placet?sslmode=require"
    database = read_environment({"DATABASE_URL": url}, root=tmp_path).database
    assert database.engine == "postgresql"
    assert (database.user, database.password) == ("me", "p@ss")
    assert (database.host, database.port, database.name) == ("db.example.org", "5433", "placet")
    assert dict(database.options) == {"sslmode": "require"}
    assert "p@ss" not in repr(database)


def test_a_postgres_socket_keeps_the_case_of_its_folder(tmp_path: Path) -> None:
    url = "postgresql://me@/placet?host=/Run/Here&port=5433"
    database = read_environment({"DATABASE_URL": url}, root=tmp_path).database
    assert database.host == "/Run/Here"
    assert dict(database.options) == {"port": "5433"}


def test_secrets_do_not_show_in_the_environments_repr(tmp_path: Path) -> None:
    env = read_environment({"PLACET_SEALING_KEY": SEALING}, root=tmp_path)
    assert SEALING not in repr(env)
    assert env.keys.secret not in repr(env)
    assert repr(b"s" * 32) not in repr(env.keys)


def test_a_public_name_is_the_only_origin_and_host_besides_loopback(tmp_path: Path) -> None:
    env = read_environment({"PLACET_PUBLIC_URL": "https://placet.example.org/"}, root=tmp_path)
    assert env.https
    assert env.origins == ("https://placet.example.org",)
    assert env.allowed_hosts == ("placet.example.org", "127.0.0.1", "localhost", "[::1]")


def test_a_deep_data_folder_moves_the_sockets_to_a_short_path(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 80)
    env = read_environment({"PLACET_DATA_DIR": str(deep)}, root=tmp_path)
    assert len(str(env.run_dir)) <= 80
    assert env.run_dir != deep / "run"
    again = read_environment({"PLACET_DATA_DIR": str(deep)}, root=tmp_path)
    assert again.run_dir == env.run_dir


def test_keys_are_made_once_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    first = read_keys({}, tmp_path)
    assert read_keys({}, tmp_path) == first
    assert len(first.sealing) == len(first.checkpoint) == 32
    assert len({first.secret.encode(), first.sealing, first.checkpoint}) == 3
    for path in (tmp_path / "keys").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert len(list((tmp_path / "keys").iterdir())) == 3


def test_processes_that_start_together_agree_on_the_keys(tmp_path: Path) -> None:
    found = []
    barrier = threading.Barrier(8)

    def start() -> None:
        barrier.wait(10)
        found.append(read_keys({}, tmp_path))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(found) == 8
    assert all(keys == found[0] for keys in found)


def test_given_keys_need_no_folder(tmp_path: Path) -> None:
    given = {
        "PLACET_SECRET_KEY": "x" * 50,
        "PLACET_SEALING_KEY": SEALING,
        "PLACET_CHECKPOINT_KEY": CHECKPOINT,
    }
    keys = read_keys(given, tmp_path / "absent")
    assert (keys.sealing, keys.checkpoint) == (b"s" * 32, b"c" * 32)
    assert not (tmp_path / "absent").exists()


def test_derived_keys_differ_by_purpose_and_by_sealing_key(tmp_path: Path) -> None:
    one, other = read_keys({}, tmp_path / "a"), read_keys({}, tmp_path / "b")
    assert one.derive("repeat") == one.derive("repeat")
    assert len({one.derive("repeat"), one.derive("other"), other.derive("repeat")}) == 3
    assert one.sealing_id != other.sealing_id


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("in the way")
    said = refusal(tmp_path, PLACET_DATA_DIR=str(blocker / "var"))
    assert "PLACET_DATA_DIR" in said


def test_a_private_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(KeyRefused, match="must be a folder that belongs to the user"):
        make_private_folder(tmp_path / "link")


def test_a_private_folder_that_others_could_read_is_closed(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    make_private_folder(tmp_path / "open")
    assert stat.S_IMODE((tmp_path / "open").stat().st_mode) == 0o700
