"""The one ASGI application: agents beside Django, browsers' sockets beside both.

Runs unchanged under Daphne (which has no lifespan) and uvicorn (which has). `/mcp` is dispatched
before Django sees it, because a held call inside Django's request cycle would keep a thread and a
database connection.
"""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "placet.settings")

from django.core.asgi import get_asgi_application  # settings come first

_django = get_asgi_application()  # before anything that imports models

from placet.dispatch import build_application  # noqa: E402  # needs the loaded apps

application = build_application(_django)
