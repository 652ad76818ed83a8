"""Resolving names and making sockets under the rule of `addresses` beside it, for aiohttp.

The rule is applied twice: to every answer of the resolver, and to the very address a socket is
about to be opened for, so that a name which changes its answer in between, or a literal address,
gains nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from approvals.outbound.addresses import check_address

AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]
LookUp = Callable[[str, int, int], Awaitable[list[AddressInfo]]]


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
