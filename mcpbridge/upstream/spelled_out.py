"""What can be said of an upstream's address without asking anybody: whether it is ever sent to."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from approvals.outbound.addresses import AddressRefused, check_address


def address_refused(url: str, *, allow_private: bool) -> str:
    """Why nothing will be sent to the address that `url` spells out; empty where it may be.

    A name is looked up, and judged, whenever it is connected to; `localhost` needs no asking.
    What is no address at all, others refuse.
    """
    try:
        host = urlsplit(url).hostname or ""
        address = "127.0.0.1" if host == "localhost" else host
        ip_address(address)
    except ValueError:
        return ""
    try:
        check_address(address, allow_private=allow_private)
    except AddressRefused as refused:
        return str(refused)
    return ""
