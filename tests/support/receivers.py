"""Servers that messages are sent to: a web address and a mail server, in threads of the test."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Received:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class WebReceiver:
    """What an address received; `answers` are the next statuses, after them 201."""

    url: str = ""
    requests: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    location: str = ""


@contextmanager
def a_web_receiver() -> Iterator[WebReceiver]:
    """A web server on loopback that takes every POST."""
    told = WebReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            told.requests.append(Received(self.path, headers, self.rfile.read(size)))
            self.send_response(told.answers.pop(0) if told.answers else 201)
            if told.location:
                self.send_header("Location", told.location)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}"
    with _served(server):
        yield told


@contextmanager
def a_web_page(html: str) -> Iterator[str]:
    """A web server on loopback that shows this page at every address; its origin."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with _served(server):
        yield f"http://127.0.0.1:{server.server_port}"


@dataclass
class MailServer:
    """What a mail server took; `refusals` answer the next messages instead."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[list[str]] = field(default_factory=list)
    refusals: list[bytes] = field(default_factory=list)


@contextmanager
def a_mail_server() -> Iterator[MailServer]:
    """A mail server on loopback (RFC 5321, as much of it as clients need)."""
    told = MailServer()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 test\r\n")
            recipients: list[str] = []
            while line := self.rfile.readline():
                verb = line.split()[0].upper() if line.split() else b""
                if verb == b"QUIT":
                    self.wfile.write(b"221 bye\r\n")
                    return
                if verb == b"RCPT":
                    recipients.append(line.decode().partition("<")[2].partition(">")[0])
                if verb == b"DATA":
                    self.take(recipients)
                    recipients = []
                    continue
                self.wfile.write(b"250 ok\r\n")

        def take(self, recipients: list[str]) -> None:
            self.wfile.write(b"354 go on\r\n")
            lines = []
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
            if told.refusals:
                self.wfile.write(told.refusals.pop(0))
                return
            mail = message_from_bytes(b"".join(lines), policy=policy.default)
            assert isinstance(mail, EmailMessage)
            told.mails.append(mail)
            told.envelopes.append(recipients)
            self.wfile.write(b"250 taken\r\n")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    told.port = server.server_address[1]
    with _served(server):
        yield told


@contextmanager
def _served(server: socketserver.ThreadingMixIn) -> Iterator[None]:
    assert isinstance(server, socketserver.TCPServer)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
