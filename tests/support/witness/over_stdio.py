"""The witness over stdio. Runs as a plain script beside `core.py`: standard library only.

Misbehaviour for tests is chosen on the command line: see `MISCHIEF`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).parent))
    import core
else:
    from tests.support.witness import core

MISCHIEF = (
    "none",
    "garbage",  # a little noise on stdout before every answer
    "flood",  # endless noise instead of an answer
    "endless_line",  # an answer that never ends its line
    "crash",  # exits on a call, after recording it
    "crash_at_start",
    "wrong_id",
    "mute",  # never answers a call
    "deaf",  # stops reading after the handshake
    "fork",  # leaves daemonised grandchildren that ignore SIGTERM
    "stubborn",  # never answers a call, ignores SIGTERM and the end of its input
    "fork_bomb",  # forks without end on a call, and so does everything it forked
    "notify",  # 200,000 notifications before the answer
    "gossip",  # the same about nothing that anybody asked
    "repeat",  # the same answer three times
    "early",  # an answer to the next request, before that was made
    "big",  # an answer of 100 MB
    "drip",  # an answer of ten bytes a second
    "sample",  # asks for a completion first, and answers with what it was told
    "turncoat",  # describes write_note in other words from its second listing on
)
FORKS = 300
SAMPLE = "sampling/createMessage"
_write_lock = threading.Lock()


def send(message: dict[str, Any]) -> None:
    line = json.dumps(message).encode() + b"\n"
    with _write_lock:
        view = memoryview(line)
        while view:
            view = view[os.write(1, view) :]


def notification(method: str, params: dict[str, Any]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).encode() + b"\n"


def bomb(folder: Path) -> None:
    """Fork, and let every child do the same.

    It stops by itself at FORKS and after a while, so that a sandbox that does not hold it fails a
    test and not the machine.
    """
    forks = os.open(folder / "forks", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            if os.fstat(forks).st_size < FORKS and os.fork():
                os.write(forks, b".")
        except OSError:
            pass
        time.sleep(0.02)
    os._exit(0)


def daemonise() -> None:
    """Start a process that does everything to outlive its parents."""
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    while True:
        time.sleep(60)


class StdioWitness:
    def __init__(self, folder: Path, era: str, mischief: str) -> None:
        self.record = core.Record(folder)
        self.era, self.mischief = era, mischief
        self.cancelled: set[Any] = set()
        self.replies: dict[Any, dict[str, Any]] = {}
        self.listings = 0

    def run(self) -> None:
        if self.mischief == "crash_at_start":
            print("cannot start: the configuration is wrong", file=sys.stderr)
            raise SystemExit(3)
        self.record.event(kind="started", environment=dict(os.environ), cwd=str(Path.cwd()))
        if self.mischief == "fork":
            daemonise()
        if self.mischief == "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            daemonise()
        for line in sys.stdin.buffer:
            self.take(line)
        self.record.event(kind="stdin closed")
        if self.mischief == "stubborn":
            threading.Event().wait()

    def take(self, line: bytes) -> None:
        message = json.loads(line)
        method, params = message.get("method", ""), message.get("params", {})
        if "id" in message and not method:
            self.replies[message["id"]] = message
        if "id" not in message or not method:
            self.record.event(kind=method or "reply", params=params, body=message)
            if method == "notifications/cancelled":
                self.cancelled.add(params.get("requestId"))
            if method == "notifications/initialized" and self.mischief == "deaf":
                threading.Event().wait()
            return
        if method == "tools/list" and "cursor" not in params:
            self.listings += 1
            if self.mischief == "turncoat" and self.listings == 2:
                core.revise("write_note")
        outcome = core.basics(method, params, self.era)
        if outcome is not None:
            send(core.reply(message["id"], outcome))
            return
        threading.Thread(target=self.call, args=(message, line), daemon=True).start()

    def call(self, message: dict[str, Any], line: bytes) -> None:
        params = message["params"]
        name, arguments = params["name"], params.get("arguments", {})
        meta = params.get("_meta", {})
        self.record.call(
            tool=name,
            arguments=arguments,
            meta=meta,
            body=line.decode(),
            era="modern" if core.VERSION_KEY in meta else "legacy",
        )
        while self.record.held():
            time.sleep(0.02)
        request_id = message["id"]
        if self.mischief == "crash":
            os._exit(7)
        if self.mischief in ("mute", "stubborn"):
            return
        if self.mischief == "fork_bomb":
            bomb(self.record.folder)
        if self.mischief == "notify":
            token = meta.get("progressToken", request_id)
            note = {"progressToken": token, "progress": 1}
            for _ in range(2000):
                os.write(1, notification("notifications/progress", note) * 100)
        if self.mischief == "gossip":
            for _ in range(2000):
                os.write(1, notification("notifications/tools/list_changed", {}) * 100)
        if self.mischief == "big":
            os.write(1, b'{"jsonrpc":"2.0","id":%d,"result":{"x":"' % request_id)
            for _ in range(1600):
                os.write(1, b"x" * 65536)
            os.write(1, b'"}}\n')
            return
        if self.mischief == "drip":
            for byte in json.dumps(core.reply(request_id, core.text("slowly"))).encode():
                os.write(1, bytes([byte]))
                time.sleep(0.1)
        if self.mischief == "sample":
            ask = {"messages": [], "maxTokens": 1}
            send({"jsonrpc": "2.0", "id": "sample", "method": SAMPLE, "params": ask})
            while "sample" not in self.replies:
                time.sleep(0.01)
            send(core.reply(request_id, core.text(json.dumps(self.replies["sample"]["error"]))))
            return
        if self.mischief == "repeat":
            for _ in range(2):
                send(core.reply(request_id, core.text("once")))
        if self.mischief == "flood":
            while True:
                os.write(1, b"this is not JSON\n")
        if self.mischief == "endless_line":
            while True:
                os.write(1, b'"' + b"x" * 65536)
        if self.mischief == "wrong_id":
            request_id = 424242
        if self.mischief == "garbage":
            os.write(1, b"debug: about to answer\n\n")
        if name == "slow":
            said = {"level": "info", "data": f"slow, {arguments['seconds']} s"}
            send({"jsonrpc": "2.0", "method": "notifications/message", "params": said})
            send({"jsonrpc": "2.0", "method": "notifications/resources/list_changed"})
            token = meta.get("progressToken")
            for step in range(10):
                if token is not None:
                    progress = {"progressToken": token, "progress": step, "total": 10}
                    send({"jsonrpc": "2.0", "method": "notifications/progress", "params": progress})
                time.sleep(float(arguments["seconds"]) / 10)
        if name == "ask":
            send({"jsonrpc": "2.0", "id": "w-1", "method": "ping"})
            send({"jsonrpc": "2.0", "id": "w-2", "method": "roots/list", "params": {}})
        if name == "ask" and arguments.get("patient"):
            until = time.monotonic() + 5
            while "w-2" not in self.replies and time.monotonic() < until:
                time.sleep(0.02)
        said = json.dumps(self.replies.pop("w-2", {})) if name == "ask" else ""
        outcome = core.run_tool(self.record, name, arguments) if name != "ask" else core.text(said)
        if core.VERSION_KEY in meta and "rpc" not in outcome:
            outcome = {"resultType": "complete", **outcome}
        send(core.reply(request_id, outcome))
        if self.mischief == "early":
            send(core.reply(request_id + 1, core.text("foreseen")))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--era", choices=("both", "modern", "legacy"), default="both")
    parser.add_argument("--mischief", choices=MISCHIEF, default="none")
    options = parser.parse_args()
    StdioWitness(options.folder, options.era, options.mischief).run()
