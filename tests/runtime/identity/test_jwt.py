"""Tokens by a shared secret or a public key, over real handshakes (P4.2, P4.3)."""

from __future__ import annotations

import hashlib
import hmac
import json
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from gsws.errors import ServeError
from tests.runtime.identity.support import SECRET, bearer, encoded, forged, refused, source, token, who
from tests.runtime.support import served

JWT = "{jwt: {secret: ${JWT_SECRET}}}"


@pytest.fixture(scope="module")
def rsa_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_a_token_says_whose_a_connection_is(tmp_path):
    """`subject`, scopes and claims are what the token says (P4.2), not what the client calls itself (P4.1)."""
    with served(tmp_path, source(JWT)) as running:
        told = who(running, additional_headers=bearer(token("ann", scope="a b", scopes=["c"], tenant="x")))
        assert (told["subject"], told["scopes"], told["authenticated"]) == ("ann", ["a", "b", "c"], True)
        assert told["claims"]["tenant"] == "x"


def test_without_a_good_credential_nobody_gets_in(tmp_path):
    """Missing or bad is 401 before the upgrade; the body tells nothing, the log the reason, no log the token (P4.3)."""
    # Threat T1.
    bad = {
        "another secret": token(secret="x" * 40),
        "expired": token(lasts=-60),
        "expired as text": token(exp=str(int(time.time() - 60))),
        "exp null": forged_signed({"sub": "ann", "exp": None}),
        "exp text": token(exp="soon"),
        "exp infinite": forged_signed(b'{"sub": "ann", "exp": 1e999}'),
        "exp nan": forged_signed(b'{"sub": "ann", "exp": NaN}'),
        "not yet": token(nbf=time.time() + 60),
        "from the future": token(iat=time.time() + 60),
        "no subject": token(None),
        "empty subject": token(""),
        "numeric subject": forged_signed({"sub": 7, "exp": time.time() + 60}),
        "null subject": forged_signed({"sub": None, "exp": time.time() + 60}),
        "control characters": token("ann\nroot"),
        "long subject": token("a" * 513),
        "audience unasked": token(aud="another"),
        "wrong algorithm": token(algorithm="HS512", secret="s" * 64),
        "right secret, wrong algorithm": token(algorithm="HS384", secret=SECRET + "0" * 16),
        "alg none": forged({"alg": "none", "typ": "JWT"}, {"sub": "ann"}),
        "alg NONE with signature": forged({"alg": "NONE"}, {"sub": "ann"}, b"x"),
        "alg missing": forged({"typ": "JWT"}, {"sub": "ann"}, b"x"),
        "alg list": forged({"alg": ["HS256"]}, {"sub": "ann"}, b"x"),
        "kid number": token(header=None)[:0] + forged({"alg": "HS256", "kid": 7}, {"sub": "ann"}, b"x"),
        "crit": signed({"alg": "HS256", "crit": ["x"], "x": 1}, {"sub": "ann"}),
        "detached": signed({"alg": "HS256", "b64": False, "crit": ["b64"]}, {"sub": "ann"}),
        "header no object": forged(["HS256"], {"sub": "ann"}, b"x"),
        "payload no object": signed({"alg": "HS256"}, ["sub"]),
        "deep": signed({"alg": "HS256"}, b"[" * 3000),
        "deep header": forged(b"[" * 3000, {"sub": "ann"}, b"x"),
        "no signature": token().rpartition(".")[0] + ".",
        "four parts": token() + ".x",
        "dots": "..",
        "no base64": "a!b.c@d.e#f",
        "random": "opaque",
        "huge": "a." * 4000,
        "too long": token(big="x" * 9000),
    }
    with served(tmp_path, source(JWT)) as running:
        assert refused(running) == 401
        assert refused(running, query="?clientId=ann") == 401
        for name, value in bad.items():
            assert refused(running, additional_headers=bearer(value)) == 401, name
        assert who(running, additional_headers=bearer(token()))["subject"] == "ann"
        text = json.dumps(running.logs, default=str)
        assert 10 < len(running.log("refused a handshake")) <= len(bad) + 2
        assert "the token has expired" in text
        for name, value in bad.items():
            assert len(value) < 10 or value not in text, name


@pytest.mark.parametrize(
    "header",
    [
        "Bearer", "Bearer ", "bearer", "Basic YTpi", "Bearer a b", "Bearer a,b", "Digest x", "Bearer\t", "",
        "Bearer t\u00f6ken", "Negotiate", "Bearer Bearer x", "x" * 8000,
    ],
)  # fmt: skip
def test_a_malformed_header_is_refused(tmp_path, header):
    """What stands in `Authorization` is a credential, good or bad, also where anonymous clients may connect (P4.3)."""
    files = source("{jwt: {secret: ${JWT_SECRET}}, anonymous: true}")
    with served(tmp_path, files) as running:
        assert refused(running, additional_headers={"Authorization": header}) == 401


def test_issuer_audience_and_leeway(tmp_path):
    config = "{jwt: {secret: ${JWT_SECRET}, issuer: me, audience: [one, two], leeway: 30s}}"
    with served(tmp_path, source(config)) as running:
        assert who(running, additional_headers=bearer(token(iss="me", aud="two", lasts=-20)))["subject"] == "ann"
        assert who(running, additional_headers=bearer(token(iss="me", aud=["x", "one"])))["subject"] == "ann"
        for claims in ({"iss": "you", "aud": "one"}, {"aud": "one"}, {"iss": "me"}, {"iss": "me", "aud": "x"},
                       {"iss": "me", "aud": "one", "lasts": -40}, {"iss": ["me"], "aud": "one"},
                       {"iss": "me", "aud": {"one": 1}}):  # fmt: skip
            value = signed({"alg": "HS256"}, claims_of(**claims))
            assert refused(running, additional_headers=bearer(value)) == 401, claims


def test_a_token_without_exp_never_expires_and_the_log_says_so(tmp_path):
    with served(tmp_path, source(JWT)) as running:
        for _ in range(2):
            assert who(running, additional_headers=bearer(token(lasts=None)))["subject"] == "ann"
        assert len(running.log("tokens without `exp` never expire; let the issuer set it")) == 1


@pytest.mark.parametrize("far", [10**12, 10**400, 1e300], ids=["long", "huge", "float"])
def test_an_expiry_in_the_far_future_is_none(tmp_path, far):
    """A number that no clock reaches neither closes the connection nor breaks the timer."""
    with served(tmp_path, source(JWT)) as running:
        with running.client(additional_headers=bearer(token(exp=far))) as client:
            time.sleep(0.2)
            assert client.ask("websocket.who")["eventtype"] == "reply"


def test_unicode_in_a_subject(tmp_path):
    with served(tmp_path, source(JWT)) as running:
        assert who(running, additional_headers=bearer(token("Żółć 🙂")))["subject"] == "Żółć 🙂"


def test_a_public_key_in_a_file(tmp_path, rsa_key):
    """RS, PS, ES and EdDSA by a PEM file; the key's kind and the config say which, the token never (P4.3)."""
    curve, edwards = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()
    for name, key, algorithm in (
        ("rsa", rsa_key, "RS256"), ("pss", rsa_key, "PS256"), ("ec", curve, "ES256"), ("ed", edwards, "EdDSA"),
    ):  # fmt: skip
        root = tmp_path / name
        root.mkdir()
        (root / "public.pem").write_bytes(pem(key))
        with served(root, source(f"{{jwt: {{public_key: public.pem, algorithms: [{algorithm}]}}}}")) as running:
            good = token(secret=key, algorithm=algorithm)
            assert who(running, additional_headers=bearer(good))["subject"] == "ann"
            assert refused(running, additional_headers=bearer(good[:-8] + "AAAAAAAA")) == 401


def test_a_public_key_is_no_secret(tmp_path, rsa_key):
    """Key confusion: an HMAC made with the published key, or its kind of algorithm, is refused (P4.3)."""
    (tmp_path / "public.pem").write_bytes(pem(rsa_key))
    files = source("{jwt: {public_key: public.pem, algorithms: [RS256]}}")
    with served(tmp_path, files) as running:
        for key in (pem(rsa_key), pem(rsa_key).strip(), pem(rsa_key).decode().encode("utf-16")):
            for algorithm in ("HS256", "HS512"):
                value = signed({"alg": algorithm}, claims_of(), key)
                assert refused(running, additional_headers=bearer(value)) == 401
        assert refused(running, additional_headers=bearer(token(secret=rsa_key, algorithm="PS256"))) == 401
        jwk = {"kty": "oct", "k": encoded("0" * 40)}
        value = signed({"alg": "HS256", "jwk": jwk, "jku": "http://127.0.0.1:9/"}, claims_of(), b"0" * 40)
        assert refused(running, additional_headers=bearer(value)) == 401


@pytest.mark.parametrize("text", ["", "hello", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", None])
def test_a_file_that_is_no_public_key_stops_the_start(tmp_path, rsa_key, text):
    private = rsa_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    (tmp_path / "public.pem").write_text(private if text is None else text)
    with pytest.raises(ServeError, match="public_key"):
        with served(tmp_path, source("{jwt: {public_key: public.pem}}")):
            pass


def test_a_short_rsa_key_stops_the_start(tmp_path):
    (tmp_path / "public.pem").write_bytes(pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)))
    with pytest.raises(ServeError, match="1024 bits is too short"):
        with served(tmp_path, source("{jwt: {public_key: public.pem}}")):
            pass


def test_scopes_decide_with_real_tokens(tmp_path):
    """`authz: {scopes}` fails closed: only a token that has them all gets through (P4.2)."""
    with served(tmp_path, source("{jwt: {secret: ${JWT_SECRET}}, anonymous: true}")) as running:
        for claims, allowed in (
            ({"scope": "chat:write"}, True), ({"scope": "chat:read chat:write"}, True),
            ({"scopes": ["chat:write"]}, True),
            ({}, False), ({"scope": "chat:writer"}, False), ({"scope": "CHAT:WRITE"}, False), ({"scopes": "x"}, False),
            ({"scope": None}, False), ({"scopes": [["chat:write"]]}, False), ({"scopes": {"chat:write": 1}}, False),
            ({"scope": 7}, False), ({"scp": "chat:write"}, False), ({"scope": "chat:write,x"}, False),
        ):  # fmt: skip
            with running.client(additional_headers=bearer(token(**claims))) as client:
                answer = client.ask("websocket.write")
                assert (answer["eventtype"] == "reply") is allowed, claims
                assert allowed or answer["payload"]["error"] == "forbidden"
        with running.client() as anonymous:
            assert anonymous.ask("websocket.write")["payload"]["error"] == "unauthorized"


def claims_of(**claims):
    lasts = claims.pop("lasts", 60)
    return {"sub": "ann", "exp": time.time() + lasts, **claims}


def signed(header, payload, secret=SECRET.encode()):
    """A token with a right HMAC, whatever it says."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    body = ".".join(encoded(part) for part in parts)
    digest = {"HS512": hashlib.sha512, "HS384": hashlib.sha384}.get(header["alg"], hashlib.sha256)
    return f"{body}.{encoded(hmac.new(secret, body.encode(), digest).digest())}"


def forged_signed(payload):
    return signed({"alg": "HS256", "typ": "JWT"}, payload)


def test_a_file_with_a_public_key_is_followed(tmp_path):
    """Another key counts at once and ends the connections by the one before (P7.4); half a file lets nobody in."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    def pem(key):
        return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def shown(key):
        return {"additional_headers": bearer(token(secret=key, algorithm="ES256"))}

    one, two = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    given = {**source("{jwt: {public_key: issuer.pem, algorithms: [ES256]}}"), "issuer.pem": pem(one)}
    with served(tmp_path, given) as running, running.client(**shown(one)) as ann:
        assert refused(running, **shown(two)) == 401
        running.write("issuer.pem", pem(two)[:60])
        assert refused(running, **shown(one)) == 503
        assert refused(running, **shown(two)) == 503
        assert ann.ask("websocket.who")["eventtype"] == "reply"
        running.write("issuer.pem", pem(two))
        assert who(running, **shown(two))["subject"] == "ann"
        assert refused(running, **shown(one)) == 401
        assert ann.closed() == (4501, "credential revoked")
