"""The admin's one choice about an upstream's resources and prompts: allowed, or not.

Three methods are behind it (reading a resource, getting a prompt, completing); a rule in a file may
tell them apart. Only calls of tools can be paused, so there is nothing to ask people about.
"""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from mcpbridge.administration import MOVED, Choice, Moved, Refused, in_force, publish_choices
from mcpbridge.approvals_gateway import Effect, accounts_person, current_policy, told
from mcpbridge.calls.forwarded import GOVERNED
from mcpbridge.models import Upstream
from mcpbridge.web.access import admins_only
from mcpbridge.web.upstreams import tools_page


@require_POST
@admins_only
def choose(request: HttpRequest, name: str) -> HttpResponse:
    """Publish a policy in which they are all allowed, or all denied."""
    found = get_object_or_404(Upstream, name=name)
    try:
        with transaction.atomic(durable=True):
            said = _publish(request, found)
    except Moved as moved:
        return tools_page(request, found, problem=told(moved.message), status=409)
    except Refused as refused:
        return tools_page(request, found, problem=told(refused.message), status=422)
    messages.success(request, said)
    return redirect("manage:upstream", name=name)


def _publish(request: HttpRequest, found: Upstream) -> str:
    version, document = current_policy()
    if request.POST.get("version", "") != str(version or ""):
        raise Moved(MOVED)
    effect = {"all": Effect.ALLOW, "none": Effect.DENY}.get(request.POST.get("others", ""))
    if effect is None:
        raise Refused(gettext("choose whether resources and prompts are allowed"), field="others")
    choices = {
        name: Choice(effect=effect)
        for name in GOVERNED
        if in_force(document, upstream=found.name, tool=name).effect is not effect
    }
    if not choices:
        return gettext("Nothing was changed.")
    published = publish_choices(
        upstream=found.name,
        choices=choices,
        made_against=version,
        person_id=accounts_person(request.user),
    )
    return gettext("Saved as policy version {published}.").format(published=published)
