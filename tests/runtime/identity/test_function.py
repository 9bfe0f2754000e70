"""`authn.fn`: the project's own check (P4.2, P4.3)."""

from __future__ import annotations

import contextlib
import json
import socket

import pytest
from websockets.exceptions import InvalidStatus

from tests.runtime.identity.support import bearer, refused, source, token, who
from tests.runtime.support import served
from tests.runtime.transport.harness import eventually

AUTHN = "{fn: auth.check}"


def files(body, authn=AUTHN, plain=False):
    word = "def" if plain else "async def"
    code = f"from gsws import GSActor\nimport time\n\n{word} check(handshake):\n"
    return {**source(authn), "functions/auth.py": code + "".join(f"    {line}\n" for line in body.splitlines())}


@pytest.mark.parametrize("plain", [False, True], ids=["async", "thread"])
def test_a_function_says_who_it_is(tmp_path, plain):
    """It sees headers, query, cookies, host, path, origin and token, by attribute and by key."""
    body = (
        "assert handshake.host == '127.0.0.1' and handshake.path == '/' and handshake['origin'] is None\n"
        "if handshake.token is None: return None\n"
        "return GSActor(handshake.headers['x-user'], frozenset({'s', handshake.query['a']}),\n"
        "               claims={'cookie': handshake.cookies.get('c'), 'token': handshake.token})\n"
    )
    with served(tmp_path, files(body, plain=plain)) as running:
        headers = {**bearer("opaque"), "X-User": "ann", "Cookie": "c=1"}
        told = who(running, additional_headers=headers, query="?a=q")
        assert told == {"subject": "ann", "scopes": ["q", "s"], "authenticated": True,
                        "claims": {"cookie": "1", "token": "opaque"}, "query": {"a": "q"}}  # fmt: skip
        assert refused(running, additional_headers={"X-User": "ann"}) == 401


@pytest.mark.parametrize(
    ("result", "subject"),
    [
        ("'ann'", "ann"),
        ("{'subject': 'ann', 'scope': 'a b'}", "ann"),
        ("GSActor('ann', ['a'], claims=None)", "ann"),
        ("None", None),
        ("True", None),
        ("False", None),
        ("''", None),
        ("7", None),
        ("{}", None),
        ("{'subject': None}", None),
        ("['ann']", None),
        ("GSActor('')", None),
        ("GSActor(None)", None),
        ("GSActor('ann', claims={'exp': 'soon'})", None),
        ("GSActor('ann', claims={'exp': -10**400})", None),
        ("object()", None),
        ("1 / 0", None),
        ("exit(3)", None),
        ("(_ for _ in ()).throw(KeyboardInterrupt)", None),
        ("__import__('asyncio').current_task().cancel()", None),
        ("(_ for _ in ()).throw(__import__('asyncio').CancelledError)", None),
        ("(_ for _ in ()).throw(GeneratorExit)", None),
    ],
)
def test_only_an_actor_gets_in(tmp_path, result, subject):
    """Whatever else it returns or raises, nobody gets in and the service lives."""
    with served(tmp_path, files(f"return {result}")) as running:
        if subject is not None:
            assert who(running, additional_headers=bearer("x"))["subject"] == subject
            return
        try:
            status = refused(running, additional_headers=bearer("secret-token"), open_timeout=3)
        except (EOFError, ConnectionError, TimeoutError):
            status = 401
        assert status in (401, 500, 503)
        assert "secret-token" not in json.dumps(running.logs, default=str)
        with pytest.raises(Exception):
            who(running)


def test_a_function_that_raises_is_logged_with_its_trace(tmp_path):
    with served(tmp_path, files("raise ValueError('why')")) as running:
        assert refused(running, additional_headers=bearer("x")) == 401
        [entry] = running.log("refused a handshake")
        assert entry["level"] == "error"
        assert isinstance(entry["exc_info"], ValueError)


def test_a_function_that_raises_refuses_anonymous_clients_too(tmp_path):
    body = "if 'x-bad' in handshake.headers: raise ValueError\nreturn handshake.headers.get('x-user')"
    with served(tmp_path, files(body, authn="{fn: auth.check, anonymous: true}")) as running:
        assert who(running, "websocket.open")["authenticated"] is False
        assert who(running, additional_headers={"X-User": "ann"})["subject"] == "ann"
        assert refused(running, additional_headers={"X-Bad": "1"}) == 401
        assert refused(running, additional_headers=bearer("x")) == 401


def test_a_function_that_hangs_is_given_up(tmp_path):
    """At the deadline of the handshake, in a thread as on the loop; nobody gets in."""
    for name, body, plain in (("a", "await __import__('asyncio').sleep(60)", False), ("t", "time.sleep(3)", True)):
        root = tmp_path / name
        root.mkdir()
        given = files(body + "\nreturn 'ann'", plain=plain)
        given["eventsources/websocket.yaml"] += "limits: {handshake_timeout: 300ms}\n"
        with served(root, given) as running:
            assert refused(running, additional_headers=bearer("x"), open_timeout=3) == 503


def test_a_function_beside_tokens(tmp_path):
    """`jwt` decides about tokens; what is none goes to the function."""
    given = files("return 'fn'", authn="{fn: auth.check, jwt: {secret: '${JWT_SECRET}'}}")
    with served(tmp_path, given) as running:
        assert who(running, additional_headers=bearer(token("ann")))["subject"] == "ann"
        assert who(running, additional_headers=bearer("opaque"))["subject"] == "fn"
        assert refused(running, additional_headers=bearer(token(lasts=-60))) == 401


def test_a_changed_function_counts_at_once(tmp_path):
    """The function is the current revision's; one that cannot be imported leaves the one before."""
    with served(tmp_path, files("return 'one'")) as running:
        assert who(running, additional_headers=bearer("x"))["subject"] == "one"
        running.write("functions/auth.py", "def check(handshake):\n    return 'two'\n")
        running.reload("functions/auth.py")
        assert who(running, additional_headers=bearer("x"))["subject"] == "two"
        running.write("functions/auth.py", "import nothing_of_this_name\ndef check(handshake):\n    return 'three'\n")
        assert "GS214" in [finding.code for finding in running.reload("functions/auth.py")]
        assert who(running, additional_headers=bearer("x"))["subject"] == "two"


@pytest.mark.parametrize("claims", ["'abc'", "[1, 2]", "7", "[('exp', 1)]"])
@pytest.mark.parametrize("actor", ["GSActor('ann', claims={})", "{{'subject': 'ann', 'claims': {}}}"])
def test_claims_that_are_no_object_let_nobody_in(tmp_path, actor, claims):
    """They may have said when somebody's time is over: a refusal as any other, and no failure of the server."""
    with served(tmp_path, files(f"return {actor.format(claims)}")) as running:
        assert refused(running, additional_headers=bearer("x"), open_timeout=3) == 401


def test_claims_may_be_any_mapping_and_their_end_counts(tmp_path):
    """A read-only view with an ``exp`` that is over is over."""
    view = "__import__('types').MappingProxyType({'exp': 1})"
    with served(tmp_path, files(f"return {{'subject': 'ann', 'claims': {view}}}")) as running:
        assert refused(running, additional_headers=bearer("x"), open_timeout=3) == 401


@pytest.mark.parametrize(
    "result",
    ["True", "1", "{'subject': 'ann', 'success': False}", "{'subject': 'ann', 'success': 'true'}",
     "{'subject': 'ann', 'authenticated': None}", "{'subject': 'ann', 'success': True, 'code': 403}",
     "{'subject': 'ann', 'code': 401}", "{'subject': 'ann', 'authenticated': {'success': True}}",
     "{'success': True, 'message': 'ann'}", "(one for one in ('ann',))", "check_later()", "GSStatus(True)",
     "b'ann'"],
)  # fmt: skip
def test_what_is_no_actor_lets_nobody_in(tmp_path, result):
    """However true it looks: nobody is let in without a subject, nor with a subject that is said not to be let in."""
    # Threat T4.
    given = files(f"return {result}")
    given["functions/auth.py"] += "\nfrom gsws import GSStatus\nasync def check_later():\n    return 'ann'\n"
    with served(tmp_path, given) as running:
        assert refused(running, additional_headers=bearer("x"), open_timeout=3) == 401


def test_checks_have_threads_of_their_own_and_few_wait(tmp_path):
    """Handlers that hold every thread keep nobody out; checks that hang are refused with 503, not queued for ever."""
    # Threat T9.
    wait = f"while not __import__('os').path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)"
    given = files(f"if handshake.token == 'slow':\n    {wait}\nreturn 'ann'", plain=True)
    given["events/nap.yaml"] = "websocket.nap: {fn: nap, payload: {}}\n"
    given["functions/nap.py"] = f"import time\ndef nap(payload):\n    {wait}\n"
    given["eventsources/websocket.yaml"] += "limits: {handshake_timeout: 60s}\n"
    with served(tmp_path, given) as running, contextlib.ExitStack() as clients:
        try:
            for _ in range(45):
                client = clients.enter_context(running.client(additional_headers=bearer("x")))
                client.send("websocket.nap", {}, id=1)
            assert who(running, additional_headers=bearer("x"))["subject"] == "ann"
            for _ in range(8 + 64):
                clients.enter_context(opened(running, "slow"))
            eventually(lambda: refused_or_in(running, "slow") == 503)
            assert refused(running, additional_headers=bearer("slow"), open_timeout=3) == 503
        finally:
            (tmp_path / "go").touch()
        lines = running.log("refused a handshake")
        assert {line["reason"] for line in lines} == {"too many credentials are being checked"}


def refused_or_in(running, value):
    try:
        with running.client(additional_headers=bearer(value), open_timeout=1):
            return 101
    except (InvalidStatus, TimeoutError) as error:
        return error.response.status_code if isinstance(error, InvalidStatus) else None


@contextlib.contextmanager
def opened(running, value):
    """A handshake that is sent, and not waited for."""
    with socket.create_connection(("127.0.0.1", running.ports["websocket"]), timeout=5) as connection:
        connection.sendall(
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            + f"Authorization: Bearer {value}\r\n\r\n".encode()
        )
        yield connection
