"""What a sandboxed server can see and do, and that nothing of it outlives its host."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from mcpbridge.upstream.sandbox import SandboxUnusable, plan, probe
from mcpbridge.upstream.sandbox.launch import SHIM
from mcpbridge.upstream.sandbox.probe import works
from mcpbridge.upstream.sandbox.sockets import NoFilter, socket_filter
from mcpbridge.upstream.spec import SandboxProfile, UpstreamSpec, config_digest
from tests.mcpbridge.upstream.conftest import REPOSITORY, HostForTests
from tests.support.waiting import PATIENCE, eventually_async

KINDS = ("bubblewrap", "landlock", "unsandboxed")
SANDBOXES = ("bubblewrap", "landlock")


def run(kind, code, *, profile=None, data=None, env=None, secret_env=None, cwd=None, timeout=30):
    """Run Python code in the sandbox; return what it printed."""
    spec = UpstreamSpec(
        id="s",
        name="s",
        transport="stdio",
        command=(sys.executable, "-c", textwrap.dedent(code)),
        sandbox=replace(profile or SandboxProfile(), accept_unsandboxed=True),
        env=env or {},
        secret_env=secret_env or {},
        cwd=cwd,
    )
    with (
        tempfile.TemporaryDirectory(prefix="pl-") as scratch,
        tempfile.TemporaryDirectory(prefix="pl-") as hidden,
    ):
        launch = plan(spec, kind=kind, scratch=scratch, data_folder=str(data or hidden))
        return subprocess.run(
            launch.arguments,
            check=False,
            env=launch.environment,
            cwd=launch.cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )


def printed(kind, code, **options) -> str:
    done = run(kind, code, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


TRY_TO_READ = """
    import sys
    for path in {paths!r}:
        try:
            open(path).read()
            print("read", path)
        except OSError:
            pass
"""


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="pl-", dir="/var/tmp") as made:
        yield Path(made)


def test_this_machine_has_both_sandboxes():
    assert works("bubblewrap")
    assert works("landlock")


@pytest.mark.parametrize("kind", SANDBOXES)
def test_only_what_the_profile_names_can_be_read(kind, folder):
    for name in ("open", "closed"):
        (folder / name).mkdir()
        (folder / name / "file").write_text("x")
    paths = [str(folder / "open/file"), str(folder / "closed/file"), str(REPOSITORY / "manage.py")]
    paths += ["/etc/shadow", f"/proc/{os.getpid()}/environ", str(Path.home() / ".bashrc")]
    profile = SandboxProfile(read_paths=(str(folder / "open"),))
    assert printed(kind, TRY_TO_READ.format(paths=paths), profile=profile) == (
        f"read {folder}/open/file"
    )


@pytest.mark.parametrize("kind", SANDBOXES)
def test_only_write_paths_and_the_scratch_folder_can_be_written(kind, folder):
    for name in ("read", "write"):
        (folder / name).mkdir()
        (folder / name / "old").write_text("x")
    code = f"""
        import os
        for path in ("{folder}/read/new", "{folder}/read/old", "{folder}/write/new", "/usr/new",
                     "{folder}/new", os.path.join(os.environ["HOME"], "new")):
            try:
                open(path, "w").close()
                print(path.replace(os.environ["HOME"], "HOME"))
            except OSError:
                pass
    """
    profile = SandboxProfile(
        read_paths=(str(folder / "read"),), write_paths=(str(folder / "write"),)
    )
    assert printed(kind, code, profile=profile).split() == [f"{folder}/write/new", "HOME/new"]
    assert (folder / "write/new").exists()
    assert not (folder / "new").exists()


def test_placets_data_is_hidden_even_below_a_visible_folder_but_named_paths_inside_work(folder):
    data = folder / "data"
    (data / "repository").mkdir(parents=True)
    (data / "secret").write_text("x")
    (data / "repository/file").write_text("x")
    (folder / "beside").write_text("x")
    paths = [str(data / "secret"), str(data / "repository/file"), str(folder / "beside")]
    profile = SandboxProfile(read_paths=(str(folder),), write_paths=(str(data / "repository"),))
    seen = printed("bubblewrap", TRY_TO_READ.format(paths=paths), profile=profile, data=data)
    assert seen.split("\n") == [f"read {data}/repository/file", f"read {folder}/beside"]
    named = SandboxProfile(write_paths=(str(data / "repository"),))
    for kind in SANDBOXES:
        seen = printed(kind, TRY_TO_READ.format(paths=paths), profile=named, data=data)
        assert seen == f"read {data}/repository/file"


def test_landlock_refuses_a_profile_that_would_show_placets_data(folder):
    data = folder / "data"
    data.mkdir()
    with pytest.raises(SandboxUnusable, match="narrower"):
        run("landlock", "pass", profile=SandboxProfile(read_paths=(str(folder),)), data=data)


@pytest.mark.parametrize("kind", SANDBOXES)
def test_a_profile_may_not_make_placets_data_writable(kind, folder):
    data = folder / "data"
    data.mkdir()
    with pytest.raises(SandboxUnusable):
        run(kind, "pass", profile=SandboxProfile(write_paths=(str(data),)), data=data)


@pytest.mark.parametrize("kind", SANDBOXES)
@pytest.mark.parametrize("name", ["keys", "keys/sealing.key", "placet.sqlite3", "run", "link"])
def test_a_profile_may_not_name_placets_keys_rows_or_sockets(kind, name, folder):
    data = folder / "data"
    for private in ("keys", "run", "own"):
        (data / private).mkdir(parents=True)
    (data / "keys/sealing.key").write_text("x")
    (data / "placet.sqlite3").write_text("x")
    (data / "link").symlink_to(data / "keys")
    for profile in (
        SandboxProfile(read_paths=(str(data / name),)),
        SandboxProfile(write_paths=(str(data / name),)),
    ):
        with pytest.raises(SandboxUnusable, match="no server may see"):
            run(kind, "pass", profile=profile, data=data)


@pytest.mark.parametrize("path", ["relative", "/does/not/exist"])
def test_a_path_that_cannot_be_shown_is_refused_in_words(path):
    with pytest.raises(SandboxUnusable, match=path):
        run("bubblewrap", "pass", profile=SandboxProfile(read_paths=(path,)))


CONNECT = """
    import socket
    try:
        socket.create_connection(("127.0.0.1", {port}), 2).close()
        print("connected")
    except OSError as error:
        print("refused")
"""


@pytest.mark.parametrize("kind", SANDBOXES)
def test_the_network_is_closed_unless_the_profile_opens_it(kind):
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = CONNECT.format(port=server.getsockname()[1])
        assert printed(kind, code) == "refused"
        assert printed(kind, code, profile=SandboxProfile(network=True)) == "connected"


SOCKETS = """
    import os, socket, sys, tempfile
    def tried(what):
        try:
            what()
            return "yes"
        except OSError:
            return "no"
    def said_to(path):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
    def datagram():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"x", ("127.0.0.1", {port}))
    def stray():
        one, _ = socket.socketpair(type=socket.SOCK_DGRAM)
        one.sendto(b"x", {there!r} + ".datagrams")
    print(tried(datagram), tried(lambda: said_to({there!r})), tried(stray),
          tried(socket.socketpair))
"""


@pytest.mark.parametrize("kind", SANDBOXES)
def test_neither_datagrams_nor_unix_sockets_lead_out_of_a_closed_sandbox(kind, folder):
    """Landlock alone would let both through, and with them out to Placet's own programs."""
    there = str(folder / "socket")
    with (
        socket.socket(socket.AF_UNIX) as server,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener,
    ):
        server.bind(there)
        server.listen()
        other.bind(f"{there}.datagrams")
        listener.bind(("127.0.0.1", 0))
        listener.setblocking(False)
        code = SOCKETS.format(there=there, port=listener.getsockname()[1])

        def reached(kind: str, **profile) -> str:
            """What got out: a datagram, a connection, a stray datagram; then a harmless pair."""
            words = printed(kind, code, profile=SandboxProfile(**profile)).split()[1:]
            try:
                listener.recv(1)
                return " ".join(["yes", *words])
            except BlockingIOError:
                return " ".join(["no", *words])

        assert reached(kind) == "no no no yes"
        assert reached(kind, network=True) == "yes no no yes"
        assert reached(kind, write_paths=(there,)).split()[:2] == ["no", "yes"]
        assert reached("unsandboxed") == "yes yes yes yes"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_socket_filter_is_known_for_common_processors_and_refused_for_others(machine):
    programs = {
        socket_filter(network=network, unix=unix, machine=machine)
        for network in (True, False)
        for unix in (True, False)
    }
    assert len(programs) == 4
    with pytest.raises(NoFilter, match="sparc"):
        socket_filter(network=False, unix=False, machine="sparc")


def test_where_nothing_can_confine_it_a_server_runs_only_if_an_admin_accepted_that(folder):
    spec = UpstreamSpec(id="s", name="s", transport="stdio", command=("true",))
    with pytest.raises(SandboxUnusable, match="accept_unsandboxed"):
        plan(spec, kind="unsandboxed", scratch=str(folder), data_folder="/nonexistent")
    accepted = replace(spec, sandbox=SandboxProfile(accept_unsandboxed=True))
    plan(accepted, kind="unsandboxed", scratch=str(folder), data_folder="/nonexistent")
    assert config_digest(spec) != config_digest(accepted)


@pytest.mark.parametrize(
    ("version", "label", "open_ends"),
    [(7, "landlock", 1), (5, "landlock 5", 2), (2, "landlock 2", 3)],
)
def test_an_older_landlock_is_named_with_what_it_leaves_open(
    version, label, open_ends, monkeypatch
):
    monkeypatch.setattr(probe, "landlock_abi", lambda: version)
    assert probe.label("landlock") == label
    assert len(probe.gaps(label)) == open_ends
    assert probe.label("bubblewrap") == "bubblewrap"
    assert probe.gaps("bubblewrap") == ()


@pytest.mark.parametrize("kind", KINDS)
def test_memory_files_and_file_sizes_are_limited(kind, folder):
    code = f"""
        import resource
        print(*(resource.getrlimit(what)[1] for what in (
            resource.RLIMIT_AS, resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE,
            resource.RLIMIT_CORE)))
        try:
            bytearray(600 * 1024 * 1024)
            print("much memory")
        except MemoryError:
            print("no memory")
        try:
            import signal
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            open("{folder}/big", "wb").write(b"x" * 2_000_000)
            print("a big file")
        except OSError:
            print("no big file")
    """
    profile = SandboxProfile(
        memory_bytes=500 * 1024 * 1024,
        files=40,
        file_bytes=1_000_000,
        write_paths=(str(folder),),
    )
    lines = printed(kind, code, profile=profile).split("\n")
    assert lines == [f"{500 * 1024 * 1024} 40 1000000 0", "no memory", "no big file"]


def test_no_environment_of_placet_can_be_seen_inside(monkeypatch):
    monkeypatch.setenv("PLACET_SECRET_KEY", "do-not-leak")
    code = """
        import glob
        for path in glob.glob("/proc/[0-9]*/environ"):
            try:
                print("leak" if b"do-not-leak" in open(path, "rb").read() else "clean")
            except OSError:
                pass
    """
    assert set(printed("bubblewrap", code).split()) == {"clean"}
    assert printed("landlock", code) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_no_privilege_can_be_gained_and_no_outside_process_signalled(kind):
    outside = subprocess.Popen(["sleep", "60"])
    code = f"""
        import os, signal
        status = open("/proc/self/status").read() if {kind != "landlock"!r} else "NoNewPrivs:\\t1"
        print([line.split()[1] for line in status.split("\\n") if line.startswith("NoNewPrivs")])
        try:
            os.kill({outside.pid}, 0)
            print("signalled")
        except OSError:
            print("out of reach")
    """
    try:
        lines = printed(kind, code).split("\n")
    finally:
        outside.kill()
        outside.wait()
    assert lines[0] == "['1']"
    assert lines[1] == ("signalled" if kind == "unsandboxed" else "out of reach")


def test_secrets_are_not_in_the_argument_list():
    spec = UpstreamSpec(
        id="s",
        name="s",
        transport="stdio",
        command=("true",),
        secret_env={"KEY": "very-secret"},
        sandbox=SandboxProfile(accept_unsandboxed=True),
    )
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as scratch:
            launch = plan(spec, kind=kind, scratch=scratch, data_folder="/nonexistent")
        assert "very-secret" not in " ".join(launch.arguments)
        assert "very-secret" not in repr(launch)
        assert launch.environment["KEY"] == "very-secret"


def processes_marked(mark: str) -> list[int]:
    """Every living process that carries the mark in its command line."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            dead = process.status() == psutil.STATUS_ZOMBIE
            if not dead and any(mark in word for word in process.cmdline()):
                found.append(process.pid)
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM"])
async def test_nothing_a_server_forked_outlives_its_host_by_five_seconds(kind, how, short_folder):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.mcpbridge.upstream.host_process",
        str(short_folder),
        kind,
        "fork",
        cwd=REPOSITORY,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "placet.settings"},
        stdout=asyncio.subprocess.PIPE,
    )
    assert (await process.stdout.readline()).strip() == b"ready"
    host = HostForTests(short_folder)
    spec = host.witness(mischief="fork")
    session = await host.pool.session(spec)
    await session.list_tools()
    mark = str(host.record)
    servers = await eventually_async(
        lambda: len(processes_marked(mark)) >= 3 and processes_marked(mark)
    )
    assert len(servers) >= 3
    process.kill() if how == "SIGKILL" else process.terminate()
    await process.wait()
    await eventually_async(lambda: not processes_marked(mark))
    await host.pool.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_a_server_forked_outlives_its_own_end(kind, short_folder):
    host = HostForTests(short_folder, kind)
    await host.start()
    session = await host.pool.session(host.witness(mischief="fork"))
    assert session.sandbox == kind
    await eventually_async(lambda: len(processes_marked(str(host.record))) >= 3)
    host.specs.clear()
    await eventually_async(lambda: not processes_marked(str(host.record)))
    await host.stop()


async def test_the_label_of_the_sandbox_is_told_for_the_admins_page(host):
    await host.pool.session(host.witness())
    told = host.leases.statuses
    await eventually_async(
        lambda: told.get(("w", "shared")) and told["w", "shared"].state == "running"
    )
    assert told["w", "shared"].sandbox_label == "bubblewrap"


FORKS = """
import os, subprocess
print(os.getuid(), os.access("/etc/shadow", os.R_OK))
try:
    for _ in range(50):
        subprocess.Popen(["/usr/bin/sleep", "2"])
    print("many")
except OSError:
    print("few")
"""


@pytest.mark.parametrize("kind", SANDBOXES)
def test_an_ordinary_user_gets_the_sandbox_too_with_its_number_of_processes_limited(kind, folder):
    """The tests' interpreter may be unreadable for others: the system's own runs the shim."""
    python = "/usr/bin/python3"
    folder.chmod(0o755)
    shim = folder / "shim.py"
    shim.write_bytes(SHIM.read_bytes())
    shim.chmod(0o644)
    policy = {"memory_bytes": 1 << 30, "processes": 20, "files": 64, "file_bytes": 1 << 20}
    command = ["--", python, "-c", FORKS]
    if kind == "bubblewrap":
        words = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session"]
        words += ["--cap-drop", "ALL", "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib"]
        words += ["--symlink", "usr/lib64", "/lib64", "--symlink", "usr/bin", "/bin"]
        words += ["--proc", "/proc", "--dev", "/dev", "--ro-bind", str(shim), "/shim.py", "--"]
        words += [python, "-I", "-S", "/shim.py", "confine", json.dumps(policy), *command]
    else:
        policy["count_other_processes"] = True
        policy["landlock"] = {
            "read": ["/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache"],
            "write": [],
            "network": False,
        }
        words = [python, "-I", "-S", str(shim), "confine", json.dumps(policy), *command]
    if os.geteuid() == 0:
        words = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", *words]
        uid = 65534
    else:
        uid = os.geteuid()
    done = subprocess.run(words, capture_output=True, text=True, cwd="/", timeout=30, check=False)
    assert done.stdout.split() == [str(uid), "False", "few"], done.stderr


@pytest.mark.parametrize("cwd", ["/usr/share", None])
async def test_the_working_folder_is_the_profiles_or_an_empty_home(host, cwd):
    await host.pool.session(host.witness(cwd=cwd))
    assert host.events()[-1]["cwd"] == (cwd or "/tmp/home")


async def test_without_linux_the_process_group_still_ends_with_its_parent(folder):
    """The way of other systems, taken by hiding what only Linux has."""
    mark = f"{folder}/mark"
    policy = {"memory_bytes": 1 << 32, "processes": 4096, "files": 64, "file_bytes": 1 << 20}
    hide = (
        "import os, runpy, signal, sys; del signal.sigtimedwait; "
        "sys.argv = ['shim', 'warden', str(os.getppid()), sys.argv[2], '--', *sys.argv[3:]]; "
        "runpy.run_path(os.environ['SHIM'], run_name='__main__')"
    )
    server = "import os, sys, time; os.fork(); os.write(1, b'up\\n'); time.sleep(60)"
    words = [sys.executable, "-c", hide, "-", json.dumps(policy), sys.executable, "-c", server]
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import subprocess, sys; subprocess.run(sys.argv[1:])",
        *words,
        mark,
        env=os.environ | {"SHIM": str(SHIM)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert await asyncio.wait_for(parent.stdout.readline(), PATIENCE) == b"up\n"
    assert len(processes_marked(mark)) >= 3
    parent.kill()
    await parent.wait()
    await eventually_async(lambda: not processes_marked(mark))
