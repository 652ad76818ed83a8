"""A supervisor over small programs, as a process of its own that tests may kill.

Arguments: the folder for logs, and ``pipe`` to use the watcher that stands in for PR_SET_PDEATHSIG.
"""

import asyncio
import os
import sys
from pathlib import Path
from unittest import mock

from placet.up import children
from placet.up.programs import Program
from placet.up.supervisor import GaveUp, Supervisor

STUBBORN = """
import signal, sys, threading
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('stubborn up', flush=True)
threading.Event().wait()
"""
POLITE = "import signal; print('polite up', flush=True); signal.pause()"
FORKING = """
import subprocess, sys, threading
subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])
print('forking up', flush=True)
threading.Event().wait()
"""
SHORT = "print('short up', flush=True)"


def program(name: str, code: str) -> Program:
    return Program(name=name, argv=(sys.executable, "-c", code), grace=0.5)


async def main(logs: Path, kinds: list[str]) -> int:
    codes = {"stubborn": STUBBORN, "polite": POLITE, "forking": FORKING, "short": SHORT}
    supervisor = Supervisor(env=os.environ, logs=logs, say=lambda text: print(text, flush=True))
    supervisor.catch_signals()
    for kind in kinds:
        await supervisor.keep(program(kind, codes[kind]))
    supervisor.ready = "short" not in kinds
    print("family up", flush=True)
    try:
        await supervisor.run()
    except GaveUp as failure:
        print(f"gave up: {failure}", flush=True)
        return 1
    print("family gone", flush=True)
    return 0


if __name__ == "__main__":
    folder, leash, *wanted = sys.argv[1:]
    if leash == "pipe":
        with mock.patch.object(children.sys, "platform", "other"):
            sys.exit(asyncio.run(main(Path(folder), wanted)))
    sys.exit(asyncio.run(main(Path(folder), wanted)))
