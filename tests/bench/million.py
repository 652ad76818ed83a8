"""The reviewers' pages over a million tickets: times, queries, and the plans behind them.

Queries are counted with few tickets and with many, as several people; both numbers have to be the
same. Every query of every page is explained: one that reads through a whole large table fails.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connection
from django.test import Client as Browser
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from approvals.models import Ticket, User
from approvals.presenters.gists import kept
from approvals.selectors.visibility import tickets_visible_to
from tests.bench.crowd import Crowd, a_crowd, fill
from tests.bench.figures import Row, percentile, table
from tests.support.databases import RealDatabase

PAST: Final = 1_000_000
OPEN: Final = 5_000
QUICK: Final = 20  # times fewer
FEW: Final = (3_000, 60)  # past and open, against which queries are counted
REPEATS: Final = 8
LARGE: Final = ("ticket", "ticket_groups", "decision", "auditevent", "payload")
FILTERS: Final = (
    "", "state=over", "state=open", "state=rejected", "state=outcome_unknown", "q=rarely",
    "q=agent-7", "tool=drop_rarely", "tool=tool_5&state=rejected", "agent=agent-7",
    "upstream=upstream-3", "reviewer=bob", "owner=alice", "risk=high",
    "risk=high&state=expired&agent=agent-49", "since={day}", "until={day}", "q={number}",
)  # fmt: skip


@dataclass
class Page:
    """One address as one person sees it, and what it cost."""

    who: str
    user: User
    name: str
    path: str
    queries: int = 0
    rows: int = 0
    took: list[float] = field(default_factory=list)
    rows_met: int = 0
    scans: set[str] = field(default_factory=set)


def main(database: RealDatabase, arguments: list[str]) -> list[Row]:
    """A row for each page and person. Arguments: `past=…`, `open=…`, `quick`."""
    if database.engine != "postgresql":
        raise SystemExit("this is measured on PostgreSQL alone: add --engine postgresql")
    given = dict(part.split("=") for part in arguments if "=" in part)
    fewer = QUICK if "quick" in arguments else 1
    past, still_open = int(given.get("past", PAST // fewer)), int(given.get("open", OPEN // fewer))
    with override_settings(APPROVALS_PORTS={}):
        crowd = a_crowd()
        fill(crowd, past=FEW[0], still_open=FEW[1])
        few = list(_pages(crowd))
        for page in few:
            _captured(page)
        began = time.monotonic()
        fill(crowd, past=past - FEW[0], still_open=still_open - FEW[1])
        print(f"seeded in {time.monotonic() - began:.0f} s", file=sys.stderr)
        pages = list(_pages(crowd))
        for page in pages:
            _measure(page)
    rows = [_row(page) for page in pages]
    _judge(rows, pages, few)
    return rows


def _pages(crowd: Crowd) -> Iterator[Page]:
    cast = crowd.cast
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 200 * 86_400))
    for who, user in (("admin", cast.dora), ("reviewer", cast.bob), ("sees few", cast.charlie)):
        mine = tickets_visible_to(user.person).order_by("-pk")
        opened = mine.filter(ended_at__isnull=True).first()
        over = mine.filter(ended_at__isnull=False).first() or opened
        assert opened is not None
        assert over is not None
        yield Page(who, user, "frame", "/frame/")
        yield Page(who, user, "inbox", "/")
        for group in ("needs", "others"):
            yield Page(who, user, f"inbox, next: {group}", f"/?group={group}&after={opened.pk}")
        for query in FILTERS:
            filled = query.format(day=day, number=opened.pk)
            yield Page(who, user, f"history {query}", f"/history/?{filled}")
        yield Page(who, user, "history, older", f"/history/?before={over.pk}")
        yield Page(who, user, "open ticket", f"/tickets/{opened.uid}/")
        yield Page(who, user, "past ticket", f"/tickets/{over.uid}/")


def _browser(page: Page) -> Browser:
    browser = Browser()
    browser.force_login(page.user)
    return browser


def _captured(page: Page) -> list[str]:
    """The statements of one look at a page, with nothing kept from before."""
    kept.forget()
    browser = _browser(page)
    with CaptureQueriesContext(connection) as queries:
        answer = browser.get(page.path)
    assert answer.status_code == 200, f"{page.path} answered {answer.status_code}"
    page.queries, page.rows = len(queries), answer.content.count(b"<tr id=")
    return [query["sql"] for query in queries]


def _measure(page: Page) -> None:
    statements = _captured(page)
    browser = _browser(page)
    for _ in range(REPEATS):
        began = time.perf_counter()
        browser.get(page.path)
        page.took.append(time.perf_counter() - began)
    for statement in statements:
        if statement.startswith("SELECT"):
            _explain(page, statement)


def _explain(page: Page, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement.replace('%', '%%')}")
        (plan,) = cursor.fetchone()
    for node in _nodes((plan if isinstance(plan, list) else json.loads(plan))[0]["Plan"]):
        relation = str(node.get("Relation Name", "")).removeprefix("approvals_")
        if relation not in LARGE:
            continue
        met = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        page.rows_met = max(page.rows_met, round(met * node["Actual Loops"]))
        if node["Node Type"] == "Seq Scan":
            page.scans.add(f"{relation}: {re.sub(r'\s+', ' ', statement)[:300]}")


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


def _judge(rows: list[Row], pages: list[Page], few: list[Page]) -> None:
    """End with an error where a promise does not hold; an empty list asks less, and is no match."""
    broken = [
        f"{page.who}, {page.name}: {before.queries} queries with few tickets,"
        f" {page.queries} with many"
        for page, before in zip(pages, few, strict=True)
        if page.queries != before.queries and bool(page.rows) == bool(before.rows)
    ]
    broken += [f"{p.who}, {p.name}: reads through {scan}" for p in pages for scan in p.scans]
    if broken:
        print(table(rows), file=sys.stderr)
        raise SystemExit("\n".join(broken))


def _row(page: Page) -> Row:
    return {
        "who": page.who,
        "page": page.name,
        "rows": page.rows,
        "queries": page.queries,
        "p50 ms": round(percentile(page.took, 0.5) * 1000, 1),
        "p95 ms": round(percentile(page.took, 0.95) * 1000, 1),
        "most rows met": page.rows_met,
        "tickets": Ticket.objects.count(),
    }
