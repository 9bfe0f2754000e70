"""Tokens of both clients against a server that asks for them: P4.3, P3.2."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

import gsws.client
from gsws.client import Backoff, ConnectFailed, ConnectionLost
from tests.client.support import SOURCE, service
from tests.client.test_client import run
from tests.client.test_javascript import node
from tests.e2e.serving import Served

SECRET = "a secret of no less than thirty-two bytes"
AUTHN = f'{SOURCE}authn: {{jwt: {{secret: "${{SECRET}}", leeway: 0s}}}}\n'


def token(seconds: float) -> str:
    return jwt.encode({"sub": "bo", "exp": time.time() + seconds}, SECRET, "HS256")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    files = {"eventsources/websocket.yaml": AUTHN, ".env": f"SECRET={SECRET}\n"}
    with service(tmp_path_factory.mktemp("served"), **files) as running:
        yield running


def test_a_token_is_renewed_before_it_ends(served: Served) -> None:
    """P4.3: by a function, in band; the connection outlives several tokens."""
    made: list[str] = []

    async def fresh() -> str:
        made.append(token(4))
        return made[-1]

    async def main() -> None:
        async with gsws.client.connect(f"ws://127.0.0.1:{served.port}/", token=fresh) as client:
            assert await client.call("websocket.slow", {"s": 9}) == "finished"
            assert client.connections == 1
        assert len(made) > 2, made

    run(main())


def test_a_token_that_is_not_good_is_told(served: Served) -> None:
    """P7.4: 401 before, 4501 after; neither is tried again with the same token."""

    async def main() -> None:
        url = f"ws://127.0.0.1:{served.port}/"
        for bad in (None, "nonsense", token(-5)):
            with pytest.raises(ConnectFailed) as refused:
                async with gsws.client.connect(url, token=bad):
                    pass
            assert (refused.value.status, refused.value.retryable) == (401, False)
        async with gsws.client.connect(url, token=token(1), backoff=Backoff(base=0.01)) as client:
            with pytest.raises(ConnectionLost) as lost:
                await client.call("websocket.slow", {"s": 10})
            assert lost.value.code == 4501
        async with gsws.client.connect(url, token=token(1)) as client:
            await client.authenticate(token(60))
            assert await client.call("websocket.slow", {"s": 1.5}) == "finished"

    run(main())


@pytest.mark.node
def test_a_token_travels_as_a_subprotocol(served: Served, tmp_path: Path) -> None:
    """P3.2: from JavaScript."""
    node(
        served.port,
        tmp_path,
        f"""
const client = await connect({{ token: async () => "{token(60)}" }});
assert.equal(await client.call("websocket.echo", 1), 1);
client.close();
await assert.rejects(connect({{ token: "nonsense" }}), ConnectionLost);
""",
    )
