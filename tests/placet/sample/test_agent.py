"""The sample agent before a gateway that is not there, or not there yet."""

import asyncio
from pathlib import Path

import pytest

from placet.sample.agent import GatewaySilent, SampleCall, run
from tests.support.ports import listening_socket


async def test_an_agent_whose_gateway_never_answers_says_so_and_gives_up(tmp_path: Path) -> None:
    with listening_socket() as taken:
        port = taken.getsockname()[1]
    said: list[str] = []
    call = SampleCall(
        url=f"http://127.0.0.1:{port}/mcp", token="t", repository=tmp_path, patience=0.7
    )
    with pytest.raises(GatewaySilent, match="starts the gateway"):
        await asyncio.wait_for(run(call, said.append), 10)
    assert len(said) == 1
    assert "tries again" in said[0]
