"""Published keys: cached, rotated, and asked for with restraint (P4.3)."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import threading
import time
from contextlib import contextmanager

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.warnings import InsecureKeyLengthWarning
from websockets.exceptions import InvalidStatus

from gsws.runtime.identity import jwks as keyset
from tests.runtime.identity.support import bearer, encoded, forged, issuer, public_jwk, refused, source, token, who
from tests.runtime.support import served
from tests.runtime.transport.harness import eventually


@pytest.fixture(scope="module")
def keys():
    return [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(3)]


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(keyset, "INTERVAL", 0.5)
    monkeypatch.setattr(keyset, "DEADLINE", 1.0)


def files(server, more=""):
    return source(f"{{jwt: {{jwks_url: '{server.url}'{more}}}}}")


def signed(key, kid=None, algorithm="RS256", **claims):
    header = claims.pop("header", {})
    return bearer(token(secret=key, algorithm=algorithm, header={**({"kid": kid} if kid else {}), **header}, **claims))


def test_a_published_key_lets_in(tmp_path, keys, quick):
    """RSA, EC and Ed25519 keys; the set is fetched once and kept."""
    curve, edwards = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()
    with issuer() as server:
        server.publish(a=keys[0], b=curve, c=edwards)
        with served(tmp_path, files(server, ", algorithms: [RS256, PS512, ES256, EdDSA]")) as running:
            for key, kid, algorithm in (
                (keys[0], "a", "RS256"), (keys[0], "a", "PS512"), (curve, "b", "ES256"), (edwards, "c", "EdDSA"),
                (keys[0], None, "RS256"),
            ):  # fmt: skip
                assert who(running, additional_headers=signed(key, kid, algorithm))["subject"] == "ann"
            assert refused(running, additional_headers=signed(keys[0], "a", "RS512")) == 401
            assert refused(running, additional_headers=signed(keys[1], "a")) == 401
            assert refused(running, additional_headers=signed(keys[1])) == 401
            assert refused(running, additional_headers=signed(keys[0], "b", "RS256")) == 401
        assert server.asked == ["/keys"] or set(server.asked) == {"/keys"}
        assert len(server.asked) <= 2


def test_rotation(tmp_path, keys, quick):
    """A key that has just been published is found at once; one that is withdrawn is not taken any more."""
    with issuer() as server:
        server.publish(a=keys[0])
        with served(tmp_path, files(server)) as running:
            assert who(running, additional_headers=signed(keys[0], "a"))["subject"] == "ann"
            server.publish(b=keys[1])
            assert who(running, additional_headers=signed(keys[1], "b"))["subject"] == "ann"
            assert refused(running, additional_headers=signed(keys[0], "a")) == 401
            server.publish(c=keys[2])
            assert who(running, additional_headers=signed(keys[2], "c"))["subject"] == "ann"


def test_unknown_keys_cost_the_issuer_little(tmp_path, keys, quick):
    """One request each interval, however many tokens name keys that are not there."""
    with issuer() as server:
        server.publish(a=keys[0])
        with served(tmp_path, files(server)) as running:
            assert who(running, additional_headers=signed(keys[0], "a"))["subject"] == "ann"
            began = time.monotonic()
            for number in range(4):
                assert refused(running, additional_headers=signed(keys[1], f"x{number}")) == 401
            allowed = 2 + (time.monotonic() - began) / 0.5
            assert len(server.asked) <= allowed
            assert who(running, additional_headers=signed(keys[0], "a"))["subject"] == "ann"


def test_stale_keys_are_used_while_the_url_is_down(tmp_path, keys, quick, monkeypatch):
    with issuer() as server:
        server.publish(a=keys[0])
        with served(tmp_path, files(server)) as running:
            assert who(running, additional_headers=signed(keys[0], "a"))["subject"] == "ann"
            monkeypatch.setattr(keyset, "MAX_AGE", 0.0)
            for status, document in ((500, b"oops"), (200, b"<html>"), (200, b"[" * 100000), (200, {"keys": 7})):
                server.status, server.document = status, document
                time.sleep(0.6)
                assert who(running, additional_headers=signed(keys[0], "a"))["subject"] == "ann"
                assert refused(running, additional_headers=signed(keys[1], "b")) == 401
            assert running.log("cannot fetch the keys of `jwks_url`")


def test_keys_are_fetched_again_when_they_are_old(tmp_path, keys, quick, monkeypatch):
    """So a withdrawn key is not good for ever, also if nobody names a new one."""
    monkeypatch.setattr(keyset, "MAX_AGE", 0.5)
    with issuer() as server:
        server.publish(a=keys[0], b=keys[1])
        with served(tmp_path, files(server)) as running:
            assert who(running, additional_headers=signed(keys[0], "a"))["subject"] == "ann"
            asked = len(server.asked)
            server.publish(b=keys[1])
            # Nobody comes and asks: the keys are fetched by themselves.
            eventually(lambda: len(server.asked) > asked)
            eventually(lambda: refused_or_in(running, signed(keys[0], "a")) == 401)


@pytest.mark.parametrize("trouble", ["down", "slow", "redirect", "large", "empty"])
def test_without_keys_nobody_gets_in(tmp_path, keys, quick, trouble):
    """Not checkable is 503, so that clients come again; nobody is let in meanwhile."""
    with issuer() as server, issuer() as elsewhere:
        elsewhere.publish(a=keys[0])
        server.publish(a=keys[0])
        if trouble == "slow":
            server.delay = 3.0
        elif trouble == "redirect":
            server.status, server.headers = 302, {"Location": elsewhere.url}
        elif trouble == "large":
            server.document = {"keys": [public_jwk(keys[0], kid="a", x="y" * 300_000)]}
        elif trouble == "empty":
            server.document = {"keys": []}
        files_ = files(server)
        if trouble == "down":
            server.stop()
            server.stop = lambda: None
        with served(tmp_path, files_) as running:
            expected = 401 if trouble == "empty" else 503
            assert refused(running, additional_headers=signed(keys[0], "a"), open_timeout=5) == expected
            assert refused(running) == 401
        assert elsewhere.asked == []


def test_nothing_in_a_token_names_a_place(tmp_path, keys, quick):
    """`kid` is looked up and nothing else; `jku`, `x5u` and `jwk` are not looked at."""
    with issuer() as server, issuer() as elsewhere:
        server.publish(a=keys[0])
        elsewhere.publish(a=keys[1])
        with served(tmp_path, files(server)) as running:
            assert who(running, additional_headers=signed(keys[0], "a"))["subject"] == "ann"
            for kid in ("../../../dev/null", "/etc/passwd", elsewhere.url, "a'; --", "a\x00", "..", "A", " a"):
                assert refused(running, additional_headers=signed(keys[1], kid), open_timeout=5) == 401, kid
            header = {"jku": elsewhere.url, "x5u": elsewhere.url, "jwk": public_jwk(keys[1])}
            assert refused(running, additional_headers=signed(keys[1], "a", header=header)) == 401
        assert elsewhere.asked == []
        assert set(server.asked) == {"/keys"}


def test_keys_that_are_none_are_left_out(tmp_path, keys, quick):
    """Secrets, keys for encryption, short keys and rubbish beside a good key do no harm."""
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    shared = "s" * 40
    with issuer() as server:
        server.document = {
            "keys": [
                {"kty": "oct", "kid": "s", "k": encoded(shared), "alg": "HS256"},
                *(7, {}, {"kty": ["RSA"]}, {"kty": "RSA"}, {"kty": "RSA", "n": "!", "e": "!"}),
                {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
                public_jwk(short, kid="short"),
                public_jwk(keys[1], kid="enc", use="enc"),
                public_jwk(keys[1], kid="ops", key_ops=["encrypt"]),
                public_jwk(keys[1], kid="alg", alg="RS512"),
                public_jwk(keys[1], kid="lie", alg="HS256"),
                public_jwk(keys[0], kid="a"),
            ]
        }
        with served(tmp_path, files(server)) as running:
            assert who(running, additional_headers=signed(keys[0], "a"))["subject"] == "ann"
            assert refused(running, additional_headers=signed(shared, "s", "HS256")) == 401
            for kid in ("enc", "ops", "alg", "lie"):
                assert refused(running, additional_headers=signed(keys[1], kid), open_timeout=5) == 401, kid
            with pytest.warns(InsecureKeyLengthWarning):
                weak = signed(short, "short")
            assert refused(running, additional_headers=weak, open_timeout=5) == 401


def test_nobody_waits_for_an_issuer_that_hangs(tmp_path, keys, quick, monkeypatch):
    """T13: Keys that are old stay in use while it is asked in the background."""
    monkeypatch.setattr(keyset, "DEADLINE", 60.0)
    monkeypatch.setattr(keyset, "MAX_AGE", 0.3)
    monkeypatch.setattr(keyset, "INTERVAL", 0.2)
    with issuer() as server:
        server.publish(a=keys[0])
        with served(tmp_path, files(server)) as running:
            assert who(running, additional_headers=signed(keys[0], "a"))["subject"] == "ann"
            server.delay = 60.0
            asked = len(server.asked)
            eventually(lambda: len(server.asked) > asked)
            for _ in range(5):
                assert who(running, additional_headers=signed(keys[0], "a"), open_timeout=5)["subject"] == "ann"
            assert not running.log("cannot fetch the keys of `jwks_url`")  # it still hangs


def test_keys_that_could_not_be_had_for_too_long_are_good_no_more(tmp_path, keys, quick, monkeypatch):
    """503, so that clients come again; and they are let in when the issuer answers again."""
    monkeypatch.setattr(keyset, "MAX_AGE", 0.2)
    monkeypatch.setattr(keyset, "INTERVAL", 0.1)
    with issuer() as server:
        server.publish(a=keys[0])
        with served(tmp_path, files(server)) as running:
            assert who(running, additional_headers=signed(keys[0], "a"))["subject"] == "ann"
            server.status = 500
            eventually(lambda: running.log("cannot fetch the keys of `jwks_url`"))
            assert who(running, additional_headers=signed(keys[0], "a"))["subject"] == "ann"
            monkeypatch.setattr(keyset, "MAX_STALE", 0.0)
            assert refused(running, additional_headers=signed(keys[0], "a"), open_timeout=5) == 503
            server.status = 200
            monkeypatch.setattr(keyset, "MAX_STALE", 60.0)
            eventually(lambda: running.log("the keys of `jwks_url` can be fetched again"))
            assert who(running, additional_headers=signed(keys[0], "a"))["subject"] == "ann"


@pytest.mark.parametrize("place", ["head", "body", "nothing"])
def test_an_issuer_that_drips_costs_one_thread_for_a_moment(tmp_path, quick, monkeypatch, place):
    """A byte now and then is no progress: the fetch has one deadline, and its socket is cut then."""
    monkeypatch.setattr(keyset, "DEADLINE", 0.4)
    monkeypatch.setattr(keyset, "INTERVAL", 0.1)
    first = {
        "head": b"HTTP/1.1 200 OK\r\nX-A: ",
        "body": b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n",
        "nothing": b"",
    }
    with dripping(first[place]) as (port, arrivals):
        given = source(f"{{jwt: {{jwks_url: 'http://127.0.0.1:{port}/'}}}}")
        with served(tmp_path, given) as running:
            bad = bearer(forged({"alg": "RS256", "kid": "a"}, {"sub": "ann"}, b"x" * 256))
            before = set(threading.enumerate())
            while len(arrivals) < 4:
                assert refused(running, additional_headers=bad, open_timeout=5) == 503
            eventually(lambda: sum(is_open(one) for one in arrivals) <= 1)
            new = set(threading.enumerate()) - before
            assert sum(thread.name == "gsws-handler" for thread in new) <= 2


def test_a_password_in_the_url_is_sent_and_never_shown(tmp_path, keys, quick):
    """T10: Neither by the URL in the log nor by what the network says about it."""
    with issuer() as server:
        server.publish(a=keys[0])
        url = f"http://svc:pw9x%4037secret@127.0.0.1:{server.port}/keys?access_token=tok9secret"
        with served(tmp_path, source(f"{{jwt: {{jwks_url: '{url}'}}}}")) as running:
            assert who(running, additional_headers=signed(keys[0], "a"))["subject"] == "ann"
            assert server.credentials == ["Basic " + base64.b64encode(b"svc:pw9x@37secret").decode()]
            server.status = 500
            assert refused(running, additional_headers=signed(keys[1], "new"), open_timeout=5) == 401
            eventually(lambda: running.log("cannot fetch the keys of `jwks_url`"))
        assert "secret" not in json.dumps(running.logs, default=str)


def refused_or_in(running, headers):
    try:
        with running.client(additional_headers=headers, open_timeout=5):
            return 101
    except InvalidStatus as error:
        return error.response.status_code


def is_open(connection):
    try:
        connection.settimeout(0.0)
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


@contextmanager
def dripping(first):
    """A server that begins an answer and never ends it."""
    arrivals, over = [], threading.Event()

    def drip(connection):
        with contextlib.suppress(OSError):
            connection.recv(4096)
            connection.sendall(first)
            while not over.wait(0.05):
                connection.sendall(b"a")

    def accept(listening):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                arrivals.append(connection)
                threading.Thread(target=drip, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, args=(listening,), daemon=True).start()
        try:
            yield listening.getsockname()[1], arrivals
        finally:
            over.set()
            listening.shutdown(socket.SHUT_RDWR)
            for one in arrivals:
                one.close()
