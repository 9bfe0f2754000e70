"""`authn.revoked`: subjects and token ids that are let in no more, whatever their credential says (P4.3, P7.4)."""

from __future__ import annotations

import pytest

from gsws.errors import ServeError
from gsws.runtime.identity.apikeys import hash_of
from tests.runtime.identity.support import bearer, refused, source, token, who
from tests.runtime.support import served

AUTHN = "{jwt: {secret: '${JWT_SECRET}'}, revoked: revoked.yaml}"


def files(text="subjects: []\n", authn=AUTHN):
    return {**source(authn), "revoked.yaml": text}


def test_a_subject_or_a_token_is_let_in_no_more(tmp_path):
    """T2: Who is in is closed with 4501 within a moment, the others stay."""
    with served(tmp_path, files()) as running:
        one, two, bob = (bearer(token(name, jti=jti)) for name, jti in (("ann", "1"), ("ann", "2"), ("bob", "3")))
        with (
            running.client(additional_headers=one) as first,
            running.client(additional_headers=two) as second,
            running.client(additional_headers=bob) as third,
        ):
            running.write("revoked.yaml", "jti: ['1']\n")
            assert refused(running, additional_headers=one) == 401
            assert who(running, additional_headers=two)["subject"] == "ann"
            assert first.closed() == (4501, "credential revoked")
            assert second.ask("websocket.who")["eventtype"] == "reply"
            running.write("revoked.yaml", "subjects: [ann]\n")
            assert refused(running, additional_headers=two) == 401
            assert second.closed() == (4501, "credential revoked")
            assert third.ask("websocket.who")["payload"]["data"]["subject"] == "bob"
        assert [line["reason"] for line in running.log("refused a handshake")] == [
            "the subject or the token is revoked"
        ] * 2


def test_whoever_is_revoked_cannot_renew(tmp_path):
    with served(tmp_path, files("subjects: []\njti: [stolen]\n")) as running:
        with running.client(additional_headers=bearer(token("ann", lasts=30))) as ann:
            answer = ann.ask("gsws.auth", {"token": token("ann", jti="stolen")})
            assert answer["payload"]["error"] == "unauthorized"


@pytest.mark.parametrize("method", ["api_keys", "fn"])
def test_every_method_is_asked(tmp_path, method):
    key = "a-key-of-thirty-two-random-bytes-or-so-it-is"
    given = files(
        authn=f"{{{'api_keys: {file: keys.yaml}' if method == 'api_keys' else 'fn: auth'}, revoked: revoked.yaml}}"
    )
    given["keys.yaml"] = f"keys:\n  - {{id: one, subject: ann, hash: '{hash_of(key)}'}}\n"
    given["functions/auth.py"] = "def auth(handshake):\n    return 'ann'\n"
    with served(tmp_path, given) as running, running.client(additional_headers={"X-API-Key": key}) as ann:
        running.write("revoked.yaml", "subjects: [ann]\n")
        assert refused(running, additional_headers={"X-API-Key": key}) == 401
        assert ann.closed() == (4501, "credential revoked")


@pytest.mark.parametrize("text", ["", "subjects: [\n", "subject: [ann]\n", "subjects: ann\n", "subjects: [7]\n", None])
def test_a_list_that_cannot_be_read_lets_nobody_new_in(tmp_path, text):
    """It cannot be told who is on it: 503 until it can, and an error in the log."""
    with served(tmp_path, files()) as running:
        assert who(running, additional_headers=bearer(token()))["subject"] == "ann"
        if text is None:
            (tmp_path / "revoked.yaml").unlink()
        else:
            running.write("revoked.yaml", text)
        assert refused(running, additional_headers=bearer(token())) == 503
        assert len(running.log("the file of what is revoked cannot be used; nobody is let in by it")) == 1
        running.write("revoked.yaml", "subjects: [bob]\n")
        assert who(running, additional_headers=bearer(token()))["subject"] == "ann"


def test_a_list_that_is_short_for_a_moment_still_holds(tmp_path):
    """Half of a file that is being written may lack a name: what was listed counts for a moment longer."""
    with served(tmp_path, files("subjects: [eve]\n")) as running:
        assert refused(running, additional_headers=bearer(token("eve"))) == 401
        running.write("revoked.yaml", "subjects: []\n")
        assert refused(running, additional_headers=bearer(token("eve"))) == 401


def test_a_wrong_list_stops_the_start(tmp_path):
    with pytest.raises(ServeError, match="revoked"), served(tmp_path, files("subjects: ann\n")):
        pass
