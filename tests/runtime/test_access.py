"""What counts as a yes: `True`, or a status whose success is `True`, and nothing that merely looks so."""

from __future__ import annotations

from http import HTTPStatus
from types import MappingProxyType

import numpy
import pytest

from gsws import GSStatus
from gsws.runtime.access import is_yes, refusal_of
from tests.runtime.support import served


class Agreeable:
    """Equal to everything and true."""

    success = True

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 1

    def __bool__(self):
        return True


YES = [True, GSStatus(), GSStatus(True, 201), {"success": True}, {"success": True, "message": "come in"},
       {"success": True, "code": 204, "data": None, "headers": {}}, MappingProxyType({"success": True})]  # fmt: skip
NO = [
    None, False, 0, 1, 1.0, "true", "yes", "", b"1", [], [True], (True,), {}, {"success": 1}, {"success": "true"},
    {"success": numpy.bool_(True)}, {"allowed": True}, {"code": 200}, numpy.bool_(True), numpy.array([True]),
    Agreeable(),
    {"success": True, "role": "guest"}, {"success": True, "code": 403}, {"success": True, "code": HTTPStatus.FORBIDDEN},
    {"success": True, "code": "403"}, {"success": True, "code": True}, {"success": True, "code": 200, "error": "no"},
    {"success": False, "code": 402, "role": "guest"}, GSStatus(True, 403), GSStatus(True, HTTPStatus.FORBIDDEN),
    GSStatus(True, "200"), GSStatus(False), GSStatus("false", 403), GSStatus(1), GSStatus("no"), object(),
    type, NotImplemented, ...,
]  # fmt: skip


@pytest.mark.parametrize("verdict", YES, ids=range(len(YES)))
def test_a_yes(verdict):
    assert is_yes(verdict)
    assert refusal_of(verdict, "no") is None


@pytest.mark.parametrize("verdict", NO, ids=range(len(NO)))
def test_a_no(verdict):
    assert not is_yes(verdict)
    refusal = refusal_of(verdict, "no")
    assert refusal is not None
    assert (refusal.success, refusal.code) == (False, 403)


def test_a_no_says_why():
    """A code of success does not go with it."""
    assert refusal_of(GSStatus(False, 402, "pay first", {"price": 1}), "no") == GSStatus(
        False, 402, "pay first", {"price": 1}
    )
    assert refusal_of({"success": True, "code": 404, "message": "who?"}, "no") == GSStatus(False, 404, "who?")
    assert refusal_of(GSStatus(True, 451), "no") == GSStatus(False, 451, "no")
    assert refusal_of({"success": False, "code": 200, "message": ""}, "no") == GSStatus(False, 403, "no")


SOURCE = {
    "raises": "raise ValueError",
    "leaves": "raise SystemExit",
    "later": "return check_later()",
    "generates": "yield True",
    "numpy": "import numpy; return numpy.bool_(True)",
    "text": "return 'true'",
    "number": "return 1",
    "nothing": "pass",
    "odd": "return Odd()",
    "guest": "return {'success': True, 'role': 'guest'}",
    "code": "return {'success': True, 'code': 403}",
}


@pytest.mark.parametrize("word", ["def", "async def"])
def test_authz_lets_nobody_in_but_by_a_yes(tmp_path, word):
    """T4: Whatever a function does or returns; one that returns an unawaited coroutine of a yes has said nothing."""
    code = (
        "class Odd(dict):\n    def get(self, *_):\n        raise KeyError\nasync def check_later():\n    return True\n"
    )
    given = {
        "events/e.yaml": "".join(
            f"websocket.{name}: {{fn: done, payload: {{}}, authz: z.{name}}}\n" for name in (*SOURCE, "good")
        ),
        "functions/done.py": "calls = []\ndef done(payload):\n    calls.append(1)\n    return len(calls)\n",
        "functions/z.py": code
        + "".join(f"{word} {name}(ctx):\n    {body}\n" for name, body in SOURCE.items())
        + f"{word} good(ctx):\n    return True\n",
    }
    with served(tmp_path, given) as running, running.client() as client:
        for name in SOURCE:
            if (word, name) == ("def", "later"):
                continue  # a plain function may return what is awaited
            answer = client.ask(f"websocket.{name}", {})
            assert answer["payload"]["error"] in ("forbidden", "handler_error"), name
        assert client.ask("websocket.good", {})["payload"]["data"] == 1
