"""Passkeys in a real browser with a virtual authenticator: from account to signed approval."""

from __future__ import annotations

from io import StringIO

from allauth.mfa.models import Authenticator
from django.core.management import call_command
from playwright.sync_api import Page, expect

from approvals.models import GroupMembership, User
from tests.browser.conftest import Backstage, Visit, password_of
from tests.browser.fitness import DESK, EVERY, Inspector
from tests.support.builders import Cast, TicketWalk, a_policy, a_ticket
from tests.support.live import LivePlacet


def with_an_authenticator(page: Page) -> Page:
    """The page's browser can make passkeys and confirms them by itself."""
    browser = page.context.new_cdp_session(page)
    browser.send("WebAuthn.enable")
    browser.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    return page


def at_home(placet: LivePlacet, path: str = "/") -> str:
    """An address at which passkeys work: by its name, not by its number."""
    return placet.url.replace("127.0.0.1", "localhost") + path


def register(page: Page, placet: LivePlacet, user: User) -> None:
    """Add a passkey to the account of the person who is signed in."""
    page.goto(at_home(placet, "/accounts/2fa/"))
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Password").fill(password_of(user))
    page.get_by_role("button", name="Confirm").click()
    page.get_by_label("A name you will recognise").fill("blue key")
    page.get_by_role("button", name="Add the passkey").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()


def ready(page: Page) -> None:
    """The buttons of a new page do nothing for a moment."""
    expect(page.locator("html[data-guarded]:not([data-inert])")).to_be_attached()


def high_risk(cast: Cast, path: str) -> TicketWalk:
    a_policy(step_up="passkey", type_target=True)
    return a_ticket(cast, arguments=f'{{"path":"{path}"}}'.encode()).pending()


def verified(walk: TicketWalk) -> str:
    out = StringIO()
    call_command("verify_approval", str(walk.uid), stdout=out)
    return out.getvalue()


def test_a_passkey_from_its_registration_to_a_signed_approval_and_to_its_removal(
    cast: Cast, placet: LivePlacet, visit: Visit, backstage: Backstage
):
    walks = [backstage(high_risk, cast, path) for path in ("/srv/first", "/srv/second")]
    first, second = (walk for walk in walks if isinstance(walk, TicketWalk))
    page = with_an_authenticator(visit(cast.bob, at_home(placet), types=True))
    register(page, placet, cast.bob)

    page.goto(at_home(placet, f"/tickets/{first.uid}/"))
    page.get_by_label("Type the name of what it acts on").fill("/srv/first")
    ready(page)
    page.get_by_role("button", name="Approve and run").click()
    expect(page.locator("#ticket")).to_have_attribute("data-state", "approved")
    assert "SIGNED with the passkey “blue key”" in str(backstage(verified, first))

    page.goto(at_home(placet, "/account/"))
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("link", name=cast.bob.person.name)).to_be_visible()

    page.goto(at_home(placet, f"/tickets/{second.uid}/"))
    page.get_by_label("Type the name of what it acts on").fill("/srv/second")
    approve = page.get_by_role("button", name="Approve and run")
    backstage(lambda: GroupMembership.objects.filter(person=cast.bob.person).delete())
    ready(page)
    approve.click()
    expect(page.get_by_role("alert")).to_contain_text("not a member of a group")
    backstage(
        lambda: GroupMembership.objects.create(person=cast.bob.person, group_id=cast.group_id)
    )
    backstage(lambda: Authenticator.objects.filter(user=cast.bob).delete())
    approve.click()
    expect(page.get_by_role("alert")).to_contain_text("You have no passkey")
    assert backstage(lambda: second.ticket.state) == "pending"


def test_the_pages_about_passkeys_are_fit_for_everybody(
    cast: Cast, placet: LivePlacet, visit: Visit, backstage: Backstage
):
    walk = backstage(high_risk, cast, "/srv/third")
    assert isinstance(walk, TicketWalk)
    page = with_an_authenticator(
        visit(cast.bob, at_home(placet), types=True, viewport=DESK, bypass_csp=True)
    )
    inspector = Inspector(page, every=EVERY)

    register(page, placet, cast.bob)
    inspector.judge("recovery codes")
    for path in ("", "webauthn/add/", "totp/activate/", "recovery-codes/generate/"):
        page.goto(at_home(placet, f"/accounts/2fa/{path}"))
        inspector.judge(path)
    for verb in ("Rename", "Remove"):
        page.goto(at_home(placet, "/accounts/2fa/"))
        page.get_by_role("link", name=verb).click()
        inspector.judge(verb)
    page.goto(at_home(placet, f"/tickets/{walk.uid}/"))
    inspector.judge("ticket")
    page.context.clear_cookies()
    page.goto(at_home(placet, "/accounts/login/"))
    inspector.judge("sign in")
    page.get_by_label("E-mail").fill(cast.bob.email)
    page.get_by_label("Password").fill(password_of(cast.bob))
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    inspector.judge("second factor")

    assert not inspector.problems, "\n".join(inspector.problems)
