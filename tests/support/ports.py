"""Free TCP ports and bound sockets on loopback."""

import socket


def listening_socket(backlog: int = 2048) -> socket.socket:
    """A socket that listens on a free port; hand its file number to a server."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    sock.listen(backlog)
    return sock


def free_port() -> int:
    """A port that was free a moment ago; prefer `listening_socket` where a server takes one."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
