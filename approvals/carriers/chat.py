"""Chat and on-call services, through the Apprise library in a process of its own.

Each message is sent by a short-lived child (`chat_child.py`) that has an empty environment, may
open no file of ours, start no program and connect to checked addresses alone. The service's URL,
which is a secret, goes to it through a pipe. Nothing that the library says comes back but whether
the message was taken.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

from approvals.carriers.errors import CarrierError, Refused
from approvals.domain.wording import say

CHILD: Final = Path(__file__).with_name("chat_child.py")
SECONDS: Final = 25.0
MAX_URL: Final = 1024
MAX_TITLE: Final = 200
MAX_TEXT: Final = 4000

# Services that people are told by; whatever acts on this machine, runs something or writes to
# files is not among them, and neither is mail (see PLACET_SMTP_URL) nor a plain web request.
SERVICES: Final = frozenset(
    {
        "betterstack", "bark", "barks", "dingtalk", "discord", "feishu", "firehydrant", "flock",
        "gchat", "goalert", "goalerts", "gotify", "gotifys", "groupme", "guilded", "hassio",
        "hassios", "ilert", "incidentio", "join", "lark", "line", "matrix", "matrixs", "mmost",
        "mmosts", "nctalk", "nctalks", "ntfy", "ntfys", "opsgenie", "pagerduty", "pagertree",
        "pbul", "pover", "prowl", "pushover", "pushy", "revolt", "rocket", "rockets", "ryver",
        "signal", "signals", "signl4", "simplepush", "slack", "sns", "spike", "splunk",
        "squadcast", "synology", "synologys", "tgram", "threema", "twilio", "twist",
        "victorops", "webex", "wecombot", "whatsapp", "workflow", "workflows", "wxteams", "zoom",
        "zulip",
    }
)  # fmt: skip
# Options that would read a file, change where it goes, or how it is rendered.
_OPTIONS: Final = frozenset({"template", "redirect", "verify", "format", "attach", "path"})


def require_service(url: str) -> None:
    """Raise Refused, saying what would be right, unless `url` names a service that is allowed."""
    scheme = url.partition("://")[0].lower()
    if "://" not in url or scheme not in SERVICES:
        raise Refused(
            say(
                "the address must be an Apprise URL of a chat or on-call service, such as slack://…,"
                " discord://…, tgram://…, ntfys://…, pagerduty://…"
            )
        )
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise Refused(
            say("the address must have at most {detail} plain characters", detail=MAX_URL)
        )
    query = url.partition("?")[2]  # as the library reads it, whatever a fragment may be
    options = {name.lower() for name, _ in parse_qsl(query, keep_blank_values=True)}
    barred = sorted(name for name in options if name.strip("+-:") in _OPTIONS)
    if barred:
        raise Refused(say("the address may not set the option {option}", option=barred[0]))


def send(url: str, *, title: str, text: str, allow_private: bool) -> None:
    """Send one plain message; raises CarrierError. Blocks for at most 25 seconds."""
    require_service(url)
    order = {
        "url": url,
        "title": title[:MAX_TITLE],
        "text": text[:MAX_TEXT],
        "allow_private": allow_private,
    }
    answer = _run(json.dumps(order))
    if answer.get("taken") is True:
        return
    why = str(answer.get("why") or "the service did not take the message")
    raise (Refused if answer.get("never") is True else CarrierError)(why)


def _run(order: str) -> dict[str, Any]:
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(CHILD)],
            input=order,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env={"LANG": "C.UTF-8", "HOME": "/nonexistent"},
            cwd="/",
            check=False,
        )
        answer: object = json.loads(done.stdout.rpartition("\n")[2])
    except subprocess.TimeoutExpired:
        raise CarrierError(say("the service did not answer in time")) from None
    except (OSError, ValueError):
        raise CarrierError(say("the program that talks to chat services failed")) from None
    return answer if isinstance(answer, dict) else {}
