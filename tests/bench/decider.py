"""A process of its own that decides: reads `{"uid", "verdict", "user"}` lines, answers with times.

Started with an installation's environment, so that its doorbells are the real ones. `began` is the
time just before the decision, `committed` the time just after it.
"""

from __future__ import annotations

import importlib
import json
import os
import secrets
import sys
import time
from typing import Any
from uuid import UUID

import django


def main() -> None:
    """Answer each line with one line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "placet.settings")
    django.setup()
    api: Any = importlib.import_module("approvals.api")
    models: Any = importlib.import_module("approvals.models")
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        uid = UUID(asked["uid"])
        user = models.User.objects.select_related("person").get(pk=asked["user"])
        digest = bytes(models.Ticket.objects.get(uid=uid).digest)
        began = time.time()
        api.decide(
            uid=uid,
            user=user,
            verdict=api.Answer(asked["verdict"]),
            seen_digest=digest,
            reason="",
            nonce=secrets.token_hex(16),
        )
        print(json.dumps({"began": began, "committed": time.time()}), flush=True)


if __name__ == "__main__":
    main()
