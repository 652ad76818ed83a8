"""The typed environment: every setting an operator may give, validated once, at start.

Reads environment variables and nothing else; knows no Django. Everything that is wrong is reported
in one go, each with the variable's name and the form that is expected.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from placet.env_reader import Reader
from placet.keys import KeyRefused, Keys, read_keys

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
SOCKET_PATH_BYTES = 100  # sun_path holds 104 bytes on macOS, 108 on Linux, with the closing NUL
MIB = 1024 * 1024
MAIL_TO_CONSOLE = "console:"


class EnvironmentRefused(Exception):
    """The environment does not describe an installation that could run."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(
            "Placet cannot start with this environment:\n" + "\n".join(f"  - {p}" for p in problems)
        )


@dataclass(frozen=True)
class Database:
    """Where the rows live; `engine` is ``sqlite3`` or ``postgresql``."""

    engine: str
    name: str
    user: str = ""
    password: str = ""
    host: str = ""
    port: str = ""
    options: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return f"Database(engine={self.engine!r}, host={self.host!r}, name={self.name!r})"


@dataclass(frozen=True)
class Timing:
    """The ledger's clocks, in seconds; shortened by tests, seldom by anybody else."""

    lease: float
    holder_lease: float
    handover: float
    delivery_window: float
    sweep: float
    checkpoint: float


@dataclass(frozen=True, repr=False)
class Environment:
    """Everything that the environment decides; sizes in bytes, times in seconds."""

    port: int
    data_dir: Path
    run_dir: Path
    sample: bool
    admin_email: str
    admin_password: str
    database: Database
    redis_url: str
    external_redis: bool
    keys: Keys
    public_url: str
    allowed_hosts: tuple[str, ...]
    trusted_proxy_count: int
    log_level: str
    max_body_bytes: int
    metrics_token: str
    smtp_url: str
    mail_from: str
    tell_private: bool
    worker_threads: int
    database_threads: int
    timing: Timing
    retention_days: int
    checkpoint_export_dir: Path | None
    one_person: bool

    @property
    def https(self) -> bool:
        """Whether people and agents reach Placet over TLS."""
        return self.public_url.startswith("https://")

    @property
    def origins(self) -> tuple[str, ...]:
        """The full origins a browser may come from: the public one, and loopback's two names."""
        parts = urlsplit(self.public_url)
        names = [parts.hostname or ""]
        if parts.hostname in {"127.0.0.1", "localhost"}:
            names = ["127.0.0.1", "localhost"]
        usual = {"http": 80, "https": 443}.get(parts.scheme)  # browsers leave that one out
        suffix = f":{parts.port}" if parts.port not in {None, usual} else ""
        return tuple(
            f"{parts.scheme}://{f'[{name}]' if ':' in name else name}{suffix}" for name in names
        )


def read_environment(variables: Mapping[str, str], *, root: Path) -> Environment:
    """Read and validate `variables`; relative paths start at `root`.

    Makes the data folder and, on the first start, its keys. Raises EnvironmentRefused.
    """
    read = Reader(variables)
    port = read.integer("PLACET_PORT", 8000, low=0, high=65535)
    data_dir = (root / Path(read.text("PLACET_DATA_DIR", "var")).expanduser()).resolve()
    run_dir = _run_dir(read, data_dir)
    public_url = _public_url(read, port)
    host = urlsplit(public_url).hostname or "127.0.0.1"
    public_host = f"[{host}]" if ":" in host else host
    keys = _keys(read, variables, data_dir)
    redis_url = _redis_url(read, run_dir, keys)
    environment = Environment(
        port=port,
        data_dir=data_dir,
        run_dir=run_dir,
        sample=read.flag("PLACET_SAMPLE", default=True),
        admin_email=_email(read, "PLACET_ADMIN_EMAIL", "admin@placet.localhost"),
        admin_password=variables.get("PLACET_ADMIN_PASSWORD", ""),
        database=_database(read, data_dir),
        redis_url=redis_url,
        external_redis=bool(read.text("REDIS_URL")),
        keys=keys,
        public_url=public_url,
        allowed_hosts=read.words(
            "PLACET_ALLOWED_HOSTS", tuple(dict.fromkeys((public_host, *LOOPBACK_NAMES)))
        ),
        trusted_proxy_count=read.integer("PLACET_TRUSTED_PROXY_COUNT", 0, low=0, high=10),
        log_level=read.choice("PLACET_LOG_LEVEL", "INFO", LOG_LEVELS),
        max_body_bytes=read.integer("PLACET_MAX_BODY_BYTES", 4 * MIB, low=1024, high=256 * MIB),
        metrics_token=variables.get("PLACET_METRICS_TOKEN", "").strip(),
        smtp_url=_smtp_url(read),
        mail_from=_email(read, "PLACET_MAIL_FROM", "placet@localhost"),
        tell_private=read.flag("PLACET_TELL_PRIVATE", default=False),
        worker_threads=read.integer("PLACET_WORKER_THREADS", 8, low=1, high=256),
        database_threads=read.integer("PLACET_DATABASE_THREADS", 4, low=1, high=64),
        timing=_timing(read),
        retention_days=read.integer("PLACET_RETENTION_DAYS", 30, low=1, high=36_500),
        checkpoint_export_dir=_export_dir(read),
        one_person=read.flag("PLACET_ONE_PERSON", default=False),
    )
    if read.problems:
        raise EnvironmentRefused(read.problems)
    if environment.database.engine == "sqlite3":
        _make_private_file(Path(environment.database.name))
    return environment


def _make_private_file(path: Path) -> None:
    """Make an empty database that its owner alone can read; SQLite's own would be for everybody."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        path.touch(mode=0o600, exist_ok=False)


def _run_dir(read: Reader, data_dir: Path) -> Path:
    """The folder of Unix sockets: in the data folder when its path is short enough for one."""
    given = read.text("PLACET_RUN_DIR")
    if given:
        run_dir = Path(given).expanduser()
        if not run_dir.is_absolute() or len(bytes(run_dir)) > SOCKET_PATH_BYTES - 20:
            read.refuse(
                "PLACET_RUN_DIR", f"an absolute path of at most {SOCKET_PATH_BYTES - 20} bytes"
            )
        return run_dir
    run_dir = data_dir / "run"
    if len(bytes(run_dir)) <= SOCKET_PATH_BYTES - 20:
        return run_dir
    short = f"placet-{os.getuid()}-{hashlib.sha256(bytes(data_dir)).hexdigest()[:12]}"
    return Path(tempfile.gettempdir()) / short


def _timing(read: Reader) -> Timing:
    timing = Timing(
        lease=read.seconds("PLACET_LEASE_SECONDS", 30),
        holder_lease=read.seconds("PLACET_HOLDER_LEASE_SECONDS", 10),
        handover=read.seconds("PLACET_HANDOVER_SECONDS", 600),
        delivery_window=read.seconds("PLACET_DELIVERY_WINDOW_SECONDS", 600),
        sweep=read.seconds("PLACET_SWEEP_SECONDS", 1),
        checkpoint=read.seconds("PLACET_CHECKPOINT_SECONDS", 5),
    )
    if timing.lease < 2 * timing.sweep:
        read.refuse("PLACET_LEASE_SECONDS", "at least twice PLACET_SWEEP_SECONDS")
    return timing


def _export_dir(read: Reader) -> Path | None:
    given = read.text("PLACET_CHECKPOINT_EXPORT_DIR")
    if given and not Path(given).is_absolute():
        read.refuse(
            "PLACET_CHECKPOINT_EXPORT_DIR", "an absolute path of a folder, off this machine"
        )
    return Path(given) if given else None


def _public_url(read: Reader, port: int) -> str:
    url = read.text("PLACET_PUBLIC_URL", f"http://127.0.0.1:{port}").rstrip("/")
    try:
        parts = urlsplit(url)
        good = (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and not (parts.path or parts.query or parts.fragment or parts.username)
            and (parts.port is None or parts.port >= 0)
        )
    except ValueError:
        good = False
    if not good:
        read.refuse("PLACET_PUBLIC_URL", "an origin such as https://placet.example.org (no path)")
        return f"http://127.0.0.1:{port}"
    return url


def _database(read: Reader, data_dir: Path) -> Database:
    default = Database(engine="sqlite3", name=str(data_dir / "placet.sqlite3"))
    url = read.text("DATABASE_URL")
    if not url:
        return default
    expected = "postgres://user:password@host:5432/name or sqlite:////absolute/path.sqlite3"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        read.refuse("DATABASE_URL", expected, show=False)
        return default
    name = unquote(parts.path[1:])
    options = tuple(parse_qsl(parts.query))
    if parts.scheme == "sqlite" and not parts.netloc and name:
        return Database(engine="sqlite3", name=str((data_dir / name).resolve()))
    if parts.scheme not in {"postgres", "postgresql"} or not name:
        read.refuse("DATABASE_URL", expected, show=False)
        return default
    host = unquote(parts.hostname or "") or dict(options).get("host", "")
    return Database(
        engine="postgresql",
        name=name,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        host=host,
        port=str(port or ""),
        options=tuple(pair for pair in options if pair[0] != "host"),
    )


def _redis_url(read: Reader, run_dir: Path, keys: Keys) -> str:
    embedded = f"unix://:{keys.broker_password}@{run_dir / 'valkey.sock'}"
    url = read.text("REDIS_URL", embedded)
    parts = urlsplit(url)
    good = bool(parts.hostname) if parts.scheme in {"redis", "rediss"} else bool(parts.path)
    if parts.scheme not in {"redis", "rediss", "unix"} or not good:
        expected = "redis://host:6379/0, rediss://host:6379/0 or unix:///absolute/path.sock"
        read.refuse("REDIS_URL", expected, show=False)
    return url


def _smtp_url(read: Reader) -> str:
    """The mail server's URL, or `console:` where mail is only printed; empty: no mail."""
    url = read.text("PLACET_SMTP_URL")
    if not url or url == MAIL_TO_CONSOLE:
        return url
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"smtp", "smtps"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        expected = "smtp://user:password@host:587, smtps://…:465, or console:"
        read.refuse("PLACET_SMTP_URL", expected, show=False)
        return ""
    return url


def _email(read: Reader, name: str, default: str) -> str:
    address = read.text(name, default)
    local, _, domain = address.rpartition("@")
    if not local or not domain or len(address) > 254 or not address.isprintable() or " " in address:
        read.refuse(name, "an e-mail address such as admin@example.org")
    return address


def _keys(read: Reader, variables: Mapping[str, str], data_dir: Path) -> Keys:
    try:
        return read_keys(variables, data_dir)
    except KeyRefused as refusal:
        read.problems.append(str(refusal))
        return Keys(secret="", sealing=b"", checkpoint=b"")
