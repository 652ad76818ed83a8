"""The relay adds a token and changes nothing else."""

from __future__ import annotations

import asyncio

from tests.outside.relay import Relay

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def test_every_request_of_a_connection_gets_the_token_and_keeps_the_rest() -> None:
    seen = bytearray()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while part := await reader.read(1 << 16):
            seen.extend(part)
            for _ in range(part.count(b"END")):
                writer.write(ANSWER)
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    relay = Relay()
    await relay.start()
    relay.serve(port=server.sockets[0].getsockname()[1], secret="s3cret")
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    first = b"POST /mcp HTTP/1.1\r\nHost: evil\r\nContent-Length: 3\r\n\r\nEND"
    second = b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nEND\r\n0\r\n\r\n"
    for request in (first, second):
        writer.write(request)
        assert await asyncio.wait_for(reader.readexactly(len(ANSWER)), 5) == ANSWER
    token = b"\r\nAuthorization: Bearer s3cret"
    assert bytes(seen).count(token) == 2
    assert bytes(seen).replace(token, b"") == first + second
    writer.close()
    await relay.stop()
    server.close()
    await server.wait_closed()


async def test_a_client_that_leaves_is_followed() -> None:
    left = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while await reader.read(1 << 16):
            pass
        left.set()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    relay = Relay()
    await relay.start()
    relay.serve(port=server.sockets[0].getsockname()[1], secret="s")
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    writer.close()
    await asyncio.wait_for(left.wait(), 5)
    await relay.stop()
    server.close()
    await server.wait_closed()
