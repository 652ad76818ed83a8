"""Whether passkeys can be used at the address a page was opened by, and where else."""

from __future__ import annotations

from dataclasses import dataclass

from django import template
from django.http import HttpRequest
from django.template.context import Context

from approvals import conf

register = template.Library()


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """`here`: passkeys work on this page. `url`: this page where they work, or nothing."""

    here: bool
    url: str


@register.simple_tag(takes_context=True)
def passkey_home(context: Context) -> Home:
    """Browsers use a passkey at the one address it was made for, and nowhere else."""
    request = context.get("request")
    origin = conf.passkey_origin()
    if not origin or not isinstance(request, HttpRequest):
        return Home(here=False, url="")
    here = f"{request.scheme}://{request.get_host()}" == origin
    return Home(here=here, url=f"{origin}{request.get_full_path()}")
