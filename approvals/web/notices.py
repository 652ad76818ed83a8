"""The admin's pages about being told: rooms, who is on call, and what could not be delivered."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from approvals.domain.errors import Refusal
from approvals.models import (
    Channel,
    Delivery,
    Person,
    ReviewerGroup,
    Rotation,
    User,
    database_now,
)
from approvals.presenters.channels import SORTS, present_channels, present_delivery
from approvals.presenters.words import told
from approvals.selectors import deliveries as selectors
from approvals.selectors.absence import away_now
from approvals.selectors.recipients import on_call
from approvals.selectors.visibility import sees_everything
from approvals.services import channels, deliveries, habits
from approvals.web.access import reviewer_page
from approvals.web.addresses import uuid_in
from approvals.web.notification_forms import RoomForm, RotationForm

HERE: Final = "approvals:notices"
SHOWN: Final = {
    "failed": (Delivery.State.FAILED, Delivery.State.UNSURE),
    "waiting": (Delivery.State.WAITING,),
    "told": (Delivery.State.TOLD,),
    "dropped": (Delivery.State.DROPPED,),
}


@require_safe
@never_cache
@reviewer_page
def notices(request: HttpRequest, user: User) -> HttpResponse:
    """Show the rooms, who is on call, and the deliveries of one state."""
    return _page(request, user, RoomForm(), status=200)


@require_POST
@never_cache
@reviewer_page
def add_room(request: HttpRequest, user: User) -> HttpResponse:
    """Add a room; a webhook's secret is shown in the answer itself, this once."""
    _require_admin(user)
    form = RoomForm(request.POST)
    secret = ""
    if form.is_valid():
        data = dict(form.cleaned_data)
        kind, _, key = data.pop("owner").partition(":")
        try:
            _, secret = channels.add_room(
                user=user,
                group_id=UUID(key) if kind == "group" else None,
                team_id=UUID(key) if kind == "team" else None,
                **data,
            )
        except Refusal as refusal:
            form.add_error("url", told(refusal.message))
        else:
            if not secret:
                messages.success(request, gettext("Added. Send a test to see whether it arrives."))
                return redirect(HERE)
            form = RoomForm()
    return _page(request, user, form, secret=secret, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@reviewer_page
def rotation(request: HttpRequest, user: User, slug: str) -> HttpResponse:
    """Show who of a group is on call; a POST replaces it."""
    _require_sight(user)
    group = ReviewerGroup.objects.filter(slug=slug).first()
    if group is None:
        raise Http404("There is no such group.")
    members = list(Person.objects.filter(group_memberships__group=group).order_by("name"))
    kept = Rotation.objects.filter(group=group).prefetch_related("turns").first()
    form = RotationForm(
        request.POST if request.method == "POST" else None,
        rotation=kept,
        members=members,
        zone=user.person.time_zone or "UTC",
    )
    if request.method == "POST":
        _require_admin(user)
    if request.method == "POST" and form.is_valid():
        data = {name: form.cleaned_data[name] for name in form.cleaned_data if "place_" not in name}
        try:
            habits.keep_rotation(user=user, group_id=group.pk, people=form.people(), **data)
        except Refusal as refusal:
            form.add_error(None, told(refusal.message))
        else:
            messages.success(request, gettext("Saved."))
            return redirect("approvals:rotation", slug=slug)
    people = {person.pk: person.name for person in members}
    here = people.keys() - away_now(people)
    called = on_call(kept, here, now=database_now()) if kept else None
    context = {
        "group": group,
        "form": form,
        "called": people.get(called, "") if called else "",
        "may_change": user.person.is_admin,
    }
    status = 422 if form.errors else 200
    return render(request, "approvals/rotation.html", context, status=status)


@require_POST
@reviewer_page
def retry(request: HttpRequest, user: User, delivery_id: UUID) -> HttpResponse:
    """Try a failed delivery again."""
    _require_admin(user)
    if deliveries.retry(delivery_id=delivery_id):
        messages.success(request, gettext("It is tried again."))
    else:
        messages.warning(request, gettext("It had not failed, or its channel is gone."))
    return redirect(HERE)


def _page(
    request: HttpRequest, user: User, form: RoomForm, *, status: int, secret: str = ""
) -> HttpResponse:
    _require_sight(user)
    show = request.GET.get("show", "")
    show = show if show in SHOWN else "failed"
    before = uuid_in(request.GET.get("before", ""))
    rows, older = selectors.deliveries(states=SHOWN[show], before=before)
    here = reverse(HERE)
    context = {
        "rooms": present_channels(selectors.rooms()),
        "failing": [
            (channel, SORTS[Channel.Sort(channel.sort)][1])
            for channel in selectors.failing_people()
        ],
        "form": form,
        "secret": secret,
        "groups": _groups(),
        "deliveries": [present_delivery(row) for row in rows],
        "show": show,
        "older": f"{here}?show={show}&before={older}" if older else "",
        "newest": f"{here}?show={show}" if "before" in request.GET else "",
        "may_change": user.person.is_admin,
    }
    return render(request, "approvals/notices.html", context, status=status)


def _groups() -> list[tuple[ReviewerGroup, str]]:
    """Every group, and who of it is on call now."""
    now, away = database_now(), away_now()
    groups = ReviewerGroup.objects.order_by("name").prefetch_related("members")
    rotations = {r.pk: r for r in Rotation.objects.prefetch_related("turns")}
    found = []
    for group in groups:
        names = {person.pk: person.name for person in group.members.all()}
        kept = rotations.get(group.pk)
        called = on_call(kept, names.keys() - away, now=now) if kept is not None else None
        found.append((group, names[called] if called is not None else ""))
    return found


def _require_sight(user: User) -> None:
    if not sees_everything(user.person):
        raise PermissionDenied("This page is for administrators of this installation.")


def _require_admin(user: User) -> None:
    if not user.person.is_admin:
        raise PermissionDenied("Only administrators change the channels of groups and teams.")
