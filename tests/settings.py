"""The suite's settings: Placet's own, with an environment that belongs to this run alone.

The variables of whoever runs the suite are set aside; only DATABASE_URL is kept, because the second
pass runs the same tests on PostgreSQL with it.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

KEPT = {"DATABASE_URL"}
for name in list(os.environ):
    if name not in KEPT and (name.startswith("PLACET_") or name == "REDIS_URL"):
        del os.environ[name]

FOLDER = Path(tempfile.mkdtemp(prefix="placet-suite-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
os.environ["PLACET_DATA_DIR"] = str(FOLDER)

from placet.settings import *  # noqa: E402, F403  # the environment comes first
from placet.settings import CELERY_BROKER_TRANSPORT_OPTIONS, DATABASES, MIDDLEWARE  # noqa: E402

# A file, not shared memory: WAL, write locks and other processes are then the real ones.
DATABASES["default"]["TEST"] = (
    {"NAME": str(FOLDER / "test.sqlite3")}
    if DATABASES["default"]["ENGINE"].endswith("sqlite3")
    else {}
)
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # What a commit means to other processes stays; only the disk is not waited for.
    options = DATABASES["default"]["OPTIONS"]
    options["init_command"] = options["init_command"].replace("synchronous=FULL", "synchronous=OFF")
# Long-lived threads must not keep a connection to the database of a test that is over.
ENGINE = DATABASES["default"]["ENGINE"].rpartition(".")[2]
DATABASES["default"]["ENGINE"] = f"tests.support.engines.{ENGINE}"

# No broker by default: publishing then fails at once, which every road must survive. Tests that
# need doorbells take the `valkey_server` fixture.
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
CELERY_BROKER_TRANSPORT_OPTIONS = {
    **CELERY_BROKER_TRANSPORT_OPTIONS,
    "socket_connect_timeout": 0.2,
}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ACCOUNT_RATE_LIMITS = False
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
STATIC_FILES = "servestatic.middleware.ServeStaticMiddleware"
MIDDLEWARE[MIDDLEWARE.index(STATIC_FILES)] = "tests.support.static_files.StaticFilesFoundOnce"
