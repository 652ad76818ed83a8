"""A person before the pages of the test's own process, as a browser without JavaScript.

Reads a page, fills in its form and presses a button; whatever a page does not offer cannot be done
here. `reviewer` is the same before a web process of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from django.test import Client

from approvals.models import Grant, User
from tests.support.pages import Form, form_to, forms


class Desk:
    """Somebody who is signed in."""

    def __init__(self, user: User) -> None:
        self._client = Client()
        self._client.force_login(user)

    def status(self, address: str) -> int:
        """How the page at this address answers."""
        return self._client.get(address).status_code

    def decide(self, uid: UUID, verdict: str, *, reason: str = "") -> None:
        """Press one of the two buttons of the ticket's page."""
        form = form_to(self._page(f"/tickets/{uid}/"), "/decide/")
        assert verdict in [button.get("value") for button in form.buttons]
        self._press(form, verdict=verdict, reason=reason)

    def take_back(self, uid: UUID) -> None:
        """Take one's own vote back."""
        self._press(form_to(self._page(f"/tickets/{uid}/"), "/withdraw/"))

    def revoke(self, uid: UUID) -> None:
        """Take the approval back."""
        self._press(form_to(self._page(f"/tickets/{uid}/"), "/revoke/"))

    def edit(self, uid: UUID, arguments: str) -> None:
        """Replace the arguments by this JSON, after a look at what that changes."""
        form = _with(self._page(f"/tickets/{uid}/edit/"), lambda form: "whole" in form.fields)
        preview = self._client.post(f"/tickets/{uid}/edit/", form.values(whole=arguments))
        assert preview.status_code == 200, preview.content.decode()
        self._press(form_to(preview.content, "/edit/"), step="confirm")

    def permit(self, uid: UUID, *, free: str, uses: int) -> Grant:
        """Approve the call and so many more like it, whatever this argument says."""
        terms = f"/tickets/{uid}/grant/?for=agent&free={free}&uses={uses}&seconds=3600"
        self._press(_with(self._page(terms), lambda form: "seen_digest" in form.fields))
        return Grant.objects.get(made_from__uid=uid)

    def revoke_grant(self, grant: Grant) -> None:
        """Take a permission back."""
        self._press(form_to(self._page(f"/grants/{grant.pk}/"), "/revoke/"))

    def reject_flood(self, agent: UUID) -> None:
        """Reject whatever this agent asks for, and pause it."""
        here = f"/bursts/{agent}/"
        self._press(form_to(self._page(here), here), verb="reject", reason="Stop.")

    def go_away(self, *, until: datetime, stand_in: User, group: UUID) -> None:
        """Be away from now on; somebody else votes meanwhile."""
        form = _with(self._page("/away/"), lambda form: "ends" in form.fields)
        chosen = {"stand_in": str(stand_in.person_id), "groups": str(group)}
        self._press(form, "/away/", ends=until.strftime("%Y-%m-%dT%H:%M"), **chosen)

    def say(self, uid: UUID, kind: str, words: str) -> None:
        """Comment, ask the agent's owner, or answer."""

        def fits(form: Form) -> bool:
            return any(button.get("value") == kind for button in form.buttons)

        form = _with(self._page(f"/tickets/{uid}/"), fits)
        self._press(form, kind=kind, words=words)

    def hand_to(self, uid: UUID, user: User, words: str) -> None:
        """Hand the ticket to somebody else."""
        form = form_to(self._page(f"/tickets/{uid}/"), "/hand-on/")
        self._press(form, to=f"person:{user.person_id}", words=words)

    def _page(self, address: str) -> bytes:
        page = self._client.get(address)
        assert page.status_code == 200, f"{address} answers {page.status_code}"
        return page.content

    def _press(self, form: Form, address: str = "", **chosen: str) -> None:
        answer = self._client.post(address or form.action, form.values(**chosen))
        assert answer.status_code == 302, answer.content.decode()


def _with(page: bytes, fits: Callable[[Form], bool]) -> Form:
    """The first form to post that fits."""
    found = [form for form in forms(page) if form.method == "post" and fits(form)]
    assert found, f"no such form; there are {[form.action for form in forms(page)]}"
    return found[0]
