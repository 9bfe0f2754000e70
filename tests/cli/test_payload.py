"""Payloads from the command line."""

from __future__ import annotations

import io

import pytest

from gsws.cli.output import Failure
from gsws.cli.payload import payload


@pytest.mark.parametrize(
    ("values", "made"),
    [
        ([], {}),
        (["message=hi"], {"message": "hi"}),
        (["message="], {"message": ""}),
        (["a=b=c"], {"a": "b=c"}),
        (["n=3", "x=1.5", "yes=true", "no=null", 's="3"'], {"n": 3, "x": 1.5, "yes": True, "no": None, "s": "3"}),
        (["list=[1, 2]", 'o={"a": 1}'], {"list": [1, 2], "o": {"a": 1}}),
        (["user.name=Ann", "user.age=7"], {"user": {"name": "Ann", "age": 7}}),
        (["big=123456789012345678901234567890"], {"big": 123456789012345678901234567890}),
        (["n=NaN", "i=Infinity", "bad={"], {"n": "NaN", "i": "Infinity", "bad": "{"}),
        (["__proto__.x=1"], {"__proto__": {"x": 1}}),
        (["n=-1"], {"n": -1}),
        (["n=1e999"], {"n": "1e999"}),
        (['{"message": "whole"}'], {"message": "whole"}),
        (["deep=" + "[" * 5000], {"deep": "[" * 5000}),
    ],
)
def test_values(values, made):
    assert payload(values, None) == made


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (["hello"], "`hello` is no `key=value`"),
        (["=x"], "`=x` is no `key=value`"),
        (["a=1", "a=2"], "`a` is given twice"),
        (["a=1", "a.b=2"], "`a.b` wants `a` to be an object"),
        (["a.b=1", "a=2"], "`a` is given twice"),
        (["a..b=1"], "empty part"),
        (['{"a": }'], "the payload is no JSON: expecting value at line 1, column 7"),
        (['{"a": NaN}'], "NaN is not allowed"),
        (['{"a": 1e999}'], "1e999 is beyond the range of numbers"),
        (["a." * 100 + "b=1"], "nests 100 levels deep"),
    ],
)
def test_values_that_make_no_sense(values, says):
    with pytest.raises(Failure) as failure:
        payload(values, None)
    assert says in failure.value.message
    assert failure.value.exit_code == 2


def test_file_and_values(tmp_path):
    """Values win over the file, object by object."""
    path = tmp_path / "p.json"
    path.write_text('{"user": {"name": "Ann", "age": 7}, "n": 1}')
    assert payload(["user.name=Bob"], str(path)) == {"user": {"name": "Bob", "age": 7}, "n": 1}
    path.write_text("[1, 2]")
    assert payload([], str(path)) == [1, 2]
    with pytest.raises(Failure, match="holds no object"):
        payload(["a=1"], str(path))


def test_stdin(monkeypatch):
    class Stdin:
        buffer = io.BytesIO('\ufeff{"a": "ü"}'.encode())

    monkeypatch.setattr("sys.stdin", Stdin())
    assert payload([], "-") == {"a": "ü"}


@pytest.mark.parametrize(
    ("raw", "code", "says"),
    [
        (b"\xff", 1, "is not UTF-8 at byte 0"),
        (b"", 2, "is no JSON"),
        (b"{", 2, "is no JSON"),
        (b"[" * 100_000, 2, "is no JSON"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, raw, code, says):
    path = tmp_path / "p.json"
    path.write_bytes(raw)
    with pytest.raises(Failure) as failure:
        payload([], str(path))
    assert says in failure.value.message
    assert failure.value.exit_code == code
    with pytest.raises(Failure, match="cannot read"):
        payload([], str(tmp_path / "nothing"))
