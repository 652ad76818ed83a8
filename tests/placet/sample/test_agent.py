"""The sample agent before a gateway that is not there, or not there yet."""

import asyncio
from pathlib import Path

import pytest

from placet.sample.agent import GatewaySilent, SampleCall, TokenRefused, run
from tests.support.ports import listening_socket
from tests.support.waiting import PATIENCE


async def test_an_agent_whose_gateway_never_answers_says_so_and_gives_up(tmp_path: Path) -> None:
    with listening_socket() as taken:
        port = taken.getsockname()[1]
    said: list[str] = []
    call = SampleCall(
        url=f"http://127.0.0.1:{port}/mcp", token="t", repository=tmp_path, patience=0.7
    )
    with pytest.raises(GatewaySilent, match="starts the gateway"):
        await asyncio.wait_for(run(call, said.append), PATIENCE)
    assert len(said) == 1
    assert "tries again" in said[0]


async def test_an_agent_whose_token_is_not_accepted_says_so_and_how_to_mend_it(
    tmp_path: Path,
) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as gateway:
        port = gateway.sockets[0].getsockname()[1]
        call = SampleCall(url=f"http://127.0.0.1:{port}/mcp", token="t", repository=tmp_path)
        with pytest.raises(TokenRefused, match="seed_sample"):
            await asyncio.wait_for(run(call, lambda words: None), PATIENCE)
