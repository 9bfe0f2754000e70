"""`authn.fn`: the project's own check (P4.2, P4.3)."""

from __future__ import annotations

import json

import pytest

from tests.runtime.identity.support import bearer, refused, source, token, who
from tests.runtime.support import served

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


def test_authn_that_is_added_or_changed_by_a_reload(tmp_path):
    """It counts for the next handshake, and for the next message of who is there (P4.2)."""
    from tests.runtime.identity.support import ECHO

    plain = source(AUTHN)
    with served(tmp_path, {**ECHO, "functions/auth.py": "def check(handshake):\n    return 'ann'\n"}) as running:
        with running.client() as before:
            assert before.ask("websocket.who")["eventtype"] == "reply"
            running.write("eventsources/websocket.yaml", plain["eventsources/websocket.yaml"])
            running.reload("eventsources/websocket.yaml")
            assert before.ask("websocket.who")["payload"]["error"] == "unauthorized"
            assert who(running, additional_headers=bearer("x"))["subject"] == "ann"
        running.write(".env", "JWT_SECRET=" + "z" * 40 + "\n")
        text = "type: websocket\nport: 0\nauthn: {jwt: {secret: '${JWT_SECRET}'}}\n"
        running.write("eventsources/websocket.yaml", text)
        running.reload("eventsources/websocket.yaml", ".env")
        assert refused(running, additional_headers=bearer("x")) == 401
        assert who(running, additional_headers=bearer(token("bob", secret="z" * 40)))["subject"] == "bob"


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
