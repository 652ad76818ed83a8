"""Which network addresses an upstream may live at (protection against request forgery).

Decides and resolves; opens no connection. The rule is applied twice: to every answer of the
resolver, and to the very address a socket is about to be opened for, so that a name which changes
its answer in between, or a literal address, gains nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]
LookUp = Callable[[str, int, int], Awaitable[list[AddressInfo]]]

_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in ("169.254.169.254", "100.100.100.200", "192.0.0.192", "fd00:ec2::254")
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_SHARED = ipaddress.ip_network("100.64.0.0/10")


class AddressRefused(OSError):
    """The address is one that an upstream may not live at."""


def _meant(address: IPAddress) -> list[IPAddress]:
    """Return the addresses that packets to this one may end up at.

    A mapped or NAT64 address *is* its IPv4 address; a 6to4 or Teredo one also counts as itself.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    if address.sixtofour is not None:
        return [address.sixtofour, address]
    if address.teredo is not None:
        return [address.teredo[1], address]
    return [address]


def check_address(text: str, *, allow_private: bool) -> None:
    """Raise AddressRefused unless an upstream may live at this literal address.

    Link-local, metadata, multicast, reserved and unspecified addresses are always refused;
    loopback and private ones unless the upstream is allowed to be private.
    """
    try:
        outer = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        raise AddressRefused(f"{text!r} is not an IP address") from None
    for address in _meant(outer):
        if address in _METADATA or address.is_link_local:
            raise AddressRefused(
                f"{text} is a link-local or cloud metadata address; upstreams may never live there"
            )
        if address.is_multicast or address.is_unspecified:
            raise AddressRefused(f"{text} is not the address of a host")
        if address.is_loopback or address.is_private or address in _SHARED:
            if not allow_private:
                raise AddressRefused(
                    f"{text} is a loopback or private address; if the upstream is meant to live "
                    "there, allow private addresses for it"
                )
        elif address.is_reserved or not address.is_global:
            raise AddressRefused(f"{text} is reserved")


async def system_look_up(host: str, port: int, family: int) -> list[AddressInfo]:
    """Ask the system's resolver."""
    loop = asyncio.get_running_loop()
    return await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)  # type: ignore[return-value]  # typeshed: sockaddr union


class CheckedResolver(AbstractResolver):
    """Resolves names and refuses a name when *any* of its addresses is refused."""

    def __init__(self, *, allow_private: bool, look_up: LookUp = system_look_up) -> None:
        self._allow_private = allow_private
        self._look_up = look_up

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of `host`. Raises AddressRefused."""
        answers = await self._look_up(host, port, int(family))
        if not answers:
            raise OSError(f"{host} has no address")
        results: list[ResolveResult] = []
        for found_family, _, protocol, _, sockaddr in answers:
            check_address(str(sockaddr[0]), allow_private=self._allow_private)
            results.append(
                ResolveResult(
                    hostname=host,
                    host=str(sockaddr[0]),
                    port=port,
                    family=found_family,
                    proto=protocol,
                    flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
                )
            )
        return results

    async def close(self) -> None:
        """Hold nothing, close nothing."""


def checked_socket_factory(*, allow_private: bool) -> Callable[[AddressInfo], socket.socket]:
    """Return a socket factory that looks at the address once more before there is a socket."""

    def make(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, sockaddr = info
        check_address(str(sockaddr[0]), allow_private=allow_private)
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)  # noqa: FBT003  # the standard library's signature
        return made

    return make
