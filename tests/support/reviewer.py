"""A person before the real pages, as a browser without JavaScript: signs in, reads, presses.

Everything goes through a running web process, so that what a person does rings the doorbells of
that installation and of nothing else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import httpx2

from tests.support.pages import Form, form_to, forms
from tests.support.plain_http import http_client


class Reviewer:
    """Somebody who is signed in."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    async def decide(self, uid: UUID, verdict: str, *, reason: str = "") -> None:
        """Read the ticket's page and press one of its two buttons."""
        page = await self._http.get(f"/tickets/{uid}/")
        form = form_to(page.content, "/decide/")
        assert verdict in [button.get("value") for button in form.buttons], page.text
        await self._press(form, verdict=verdict, reason=reason)

    async def cancel(self, uid: UUID) -> None:
        """Call the ticket off."""
        page = await self._http.get(f"/tickets/{uid}/")
        await self._press(form_to(page.content, "/cancel/"))

    async def may_decide(self, uid: UUID) -> bool:
        """Whether the ticket's page still offers a decision."""
        page = await self._http.get(f"/tickets/{uid}/")
        assert page.status_code == 200
        return b"/decide/" in page.content

    async def turn_kill_switch(self, *, on: bool) -> None:
        """Stop everything, or let calls run again."""
        page = await self._http.get("/kill-switch/")
        (form,) = (
            form
            for form in forms(page.content)
            if any(button.get("name") == "verb" for button in form.buttons)
        )
        verb = {"verb": "kill"} if on else {"verb": "unkill", "confirm": "yes"}
        await self._press(form, address="/kill-switch/", **verb)

    async def _press(self, form: Form, *, address: str = "", **chosen: str) -> None:
        answer = await self._http.post(address or form.action, data={**form.fields, **chosen})
        assert answer.status_code == 302, f"{answer.status_code}: {answer.text}"


@asynccontextmanager
async def signed_in(url: str, *, email: str, password: str) -> AsyncIterator[Reviewer]:
    """Sign somebody in at this web process by the real form."""
    async with http_client(base_url=url, timeout=30) as http:
        page = await http.get("/accounts/login/")
        form = form_to(page.content, "/accounts/login/")
        answer = await http.post(
            "/accounts/login/", data={**form.fields, "login": email, "password": password}
        )
        assert answer.status_code == 302, f"{answer.status_code}: {answer.text}"
        yield Reviewer(http)
