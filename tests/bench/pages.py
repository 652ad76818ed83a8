"""What the reviewer's two main pages cost: queries and milliseconds, short and long lists."""

from __future__ import annotations

import time

from django.db import connection
from django.test import Client as Browser
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from tests.bench.figures import Row, milliseconds
from tests.support.builders import a_cast, a_ticket
from tests.support.databases import RealDatabase


def main(database: RealDatabase, arguments: list[str]) -> list[Row]:
    """Rows with 5 and with 205 open tickets."""
    rows: list[Row] = []
    repeats = 10 if "quick" in arguments else 50
    with override_settings(APPROVALS_PORTS={}):
        cast = a_cast()
        browser = Browser()
        browser.force_login(cast.bob)
        opened = 0
        for goal in (5, 205):
            while opened < goal:
                opened += 1
                arguments_ = f'{{"path":"/tmp/{opened}"}}'.encode()
                walk = a_ticket(cast, arguments=arguments_, max_open_tickets=1000).pending()
            for name, path in (("inbox", "/"), ("ticket", f"/tickets/{walk.uid}/")):
                rows.append({"page": name, "open tickets": goal, **_cost(browser, path, repeats)})
    return rows


def _cost(browser: Browser, path: str, repeats: int) -> Row:
    with CaptureQueriesContext(connection) as queries:
        assert browser.get(path).status_code == 200
    count = len(queries)  # before further requests clear the log
    took = []
    for _ in range(repeats):
        began = time.perf_counter()
        browser.get(path)
        took.append(time.perf_counter() - began)
    return {"queries": count, **milliseconds(took)}
