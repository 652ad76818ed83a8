"""Which network addresses may be connected to (protection against request forgery).

Decides; resolves nothing and opens nothing. Needs the standard library alone.
"""

from __future__ import annotations

import ipaddress

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in ("169.254.169.254", "100.100.100.200", "192.0.0.192", "fd00:ec2::254")
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_SHARED = ipaddress.ip_network("100.64.0.0/10")


class AddressRefused(OSError):
    """The address is one that nothing may be sent to."""


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
    """Raise AddressRefused unless this literal address may be connected to.

    Link-local, metadata, multicast, reserved and unspecified addresses are always refused;
    loopback and private ones unless an admin allows those for this destination.
    """
    try:
        outer = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        raise AddressRefused(f"{text!r} is not an IP address") from None
    for address in _meant(outer):
        if address in _METADATA or address.is_link_local:
            raise AddressRefused(
                f"{text} is a link-local or cloud metadata address; nothing may ever be sent there"
            )
        if address.is_multicast or address.is_unspecified:
            raise AddressRefused(f"{text} is not the address of a host")
        if address.is_loopback or address.is_private or address in _SHARED:
            if not allow_private:
                raise AddressRefused(
                    f"{text} is a loopback or private address; if that is meant, an "
                    "administrator allows private addresses for it"
                )
        elif address.is_reserved or not address.is_global:
            raise AddressRefused(f"{text} is reserved")
