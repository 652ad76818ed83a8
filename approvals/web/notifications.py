"""A person's own page about being told: by which channels, when, and of what."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from approvals.carriers import mail, push
from approvals.domain.errors import Refusal
from approvals.domain.telling import OPTIONAL
from approvals.models import ReviewerGroup, User
from approvals.presenters.channels import present_channels
from approvals.presenters.words import told
from approvals.selectors import deliveries as selectors
from approvals.selectors.recipients import habit_of
from approvals.selectors.visibility import tickets_visible_to
from approvals.services import channels, habits
from approvals.web.access import reviewer_page
from approvals.web.notification_forms import ChatForm, HabitForm

HERE: Final = "approvals:notifications"
ADMIN: Final = "approvals:notices"
_BROWSERS: Final = (
    ("Edg", "Edge"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS: Final = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"),
    ("Mac OS X", "macOS"), ("Linux", "Linux"),
)  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@reviewer_page
def notifications(request: HttpRequest, user: User) -> HttpResponse:
    """Show how this person is told; a POST replaces when and of what."""
    form = _habit_form(request, user)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            habits.keep_habits(
                user=user,
                quiet_from=data["quiet_from"],
                quiet_until=data["quiet_until"],
                digest_minutes=data["digest_minutes"] or 0,
                silent_kinds=[kind.value for kind in OPTIONAL if kind.value not in data["kinds"]],
                silent_groups=[g.pk for g in form.of if str(g.pk) not in data["groups"]],
            )
        except Refusal as refusal:
            form.add_error(None, told(refusal.message))
        else:
            messages.success(request, gettext("Saved."))
            return redirect(HERE)
    return _page(request, user, form, ChatForm(), status=422 if form.errors else 200)


@require_POST
@never_cache
@reviewer_page
def add_chat(request: HttpRequest, user: User) -> HttpResponse:
    """Add a chat or on-call service of this person's own."""
    form = ChatForm(request.POST)
    if form.is_valid():
        try:
            channels.add_chat(user=user, **form.cleaned_data)
        except Refusal as refusal:
            form.add_error("url", told(refusal.message))
        else:
            messages.success(request, gettext("Added. Send a test to see whether it arrives."))
            return redirect(HERE)
    return _page(request, user, _habit_form(request, user, bound=False), form, status=422)


@require_POST
@reviewer_page
def subscribe(request: HttpRequest, user: User) -> HttpResponse:
    """Add the browser that asks, with what its Push API gave it."""
    given = {name: request.POST.get(name) for name in ("endpoint", "p256dh", "auth")}
    try:
        channels.subscribe(user=user, label=_browser(request), **given)
    except Refusal as refusal:
        messages.error(request, told(refusal.message))
    else:
        messages.success(
            request, gettext("This browser is told from now on, even when it is closed.")
        )
    return redirect(HERE)


@require_POST
@reviewer_page
def change_mail(request: HttpRequest, user: User) -> HttpResponse:
    """As `change`, for the mail of whoever asks; it is a channel before it has a row."""
    return _changed(request, user, channels.mail_of(user.person).pk)


@require_POST
@reviewer_page
def change(request: HttpRequest, user: User, channel_id: UUID) -> HttpResponse:
    """Test, change or remove one channel, a person's own or, for admins, a room's."""
    return _changed(request, user, channel_id)


def _changed(request: HttpRequest, user: User, channel_id: UUID) -> HttpResponse:
    verb, posted = request.POST.get("verb", ""), request.POST
    try:
        if verb == "test":
            channels.try_out(user=user, channel_id=channel_id)
            messages.info(request, gettext("A test is on its way; what came of it is shown here."))
        elif verb == "save":
            channels.change(
                user=user,
                channel_id=channel_id,
                enabled="enabled" in posted,
                urgent="urgent" in posted,
                detailed="detailed" in posted,
            )
            messages.success(request, gettext("Saved."))
        elif verb == "remove":
            channels.remove(user=user, channel_id=channel_id)
            messages.success(request, gettext("Removed. Its address is forgotten."))
        else:
            messages.error(request, gettext("Press one of the buttons on this page."))
    except Refusal as refusal:
        messages.error(request, told(refusal.message))
    return redirect(ADMIN if posted.get("from") == "rooms" else HERE)


@require_safe
@never_cache
@reviewer_page
def by_number(request: HttpRequest, user: User, number: int) -> HttpResponse:
    """Lead from a ticket's number, which is all that a push message says, to its page."""
    found = tickets_visible_to(user.person).filter(pk=number).values_list("uid", flat=True)
    uid = found.first() if number < 2**63 else None
    if uid is None:
        raise Http404("There is no such ticket, or you may not see it.")
    return redirect("approvals:ticket", uid=uid)


def _habit_form(request: HttpRequest, user: User, *, bound: bool = True) -> HabitForm:
    habit = habit_of(user.person)
    groups = list(ReviewerGroup.objects.filter(members=user.person).order_by("name"))
    silent = set(habit.silent_groups.values_list("pk", flat=True)) if habit is not None else set()
    data = request.POST if bound and request.method == "POST" else None
    return HabitForm(data, habit=habit, groups=groups, silent=silent)


def _page(
    request: HttpRequest, user: User, form: HabitForm, chat: ChatForm, *, status: int
) -> HttpResponse:
    rows = present_channels(selectors.channels_of(user.person))
    context = {
        "channels": rows,
        "form": form,
        "chat": chat,
        "mails": mail.configured(),
        "zone": user.person.time_zone or "UTC",
        "push_key": push.encoded(push.public_point(channels.push_key())),
        "is_admin": user.person.is_admin,
        "has_urgent": any(row.urgent and row.enabled for row in rows),
    }
    return render(request, "approvals/notifications.html", context, status=status)


def _browser(request: HttpRequest) -> str:
    """A name for the browser that asks, of words of ours."""
    said = request.headers.get("User-Agent", "")
    parts = [
        next((word for mark, word in known if mark in said), "") for known in (_BROWSERS, _SYSTEMS)
    ]
    return ", ".join(part for part in parts if part)
