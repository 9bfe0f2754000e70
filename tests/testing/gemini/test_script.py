"""Scripts from YAML files, and what is wrong with them."""

from __future__ import annotations

import pytest

from gsws.testing import FakeGemini
from gsws.testing.gemini import APIError, Call, Turn, TurnError
from gsws.testing.gemini.turn import turn_from
from tests.testing.gemini.support import says, stream, user

SCRIPT = """\
- Hello there.
- when: weather
  calls: [{name: get_weather, args: {city: Oslo}}, get_time]
- model: gemini-2.5-flash
  text: of the old model
- error: {code: 429, retry_after: 2}
- error: 503
- text: [exactly, " these"]
  delay: 0.001
  drop_after: 1
"""


def test_a_file_is_a_script(tmp_path):
    (tmp_path / "script.yaml").write_text(SCRIPT)
    with FakeGemini(script=tmp_path / "script.yaml") as gemini:
        assert gemini.unused == 4
        assert says(stream(gemini, user("hi"))) == "Hello there."
        for _ in range(2):
            parts = stream(gemini, user("the weather?")).events[0]["candidates"][0]["content"]["parts"]
            assert parts[0]["functionCall"]["args"] == {"city": "Oslo"}
        assert says(stream(gemini, user("hi"), name="gemini-2.5-flash")) == "of the old model"
        assert [stream(gemini, user("hi")).status for _ in range(2)] == [429, 503]


def test_every_attribute_of_a_turn_can_be_said():
    value = {
        "text": ["a", "b"], "calls": [{"name": "f", "args": {"x": 1}, "id": "1"}], "thoughts": "hm", "finish": "SAFETY",
        "blocked": "OTHER", "error": {"code": 500, "message": "m", "status": "S", "retry_after": 1.5, "details": []},
        "error_after": 1, "error_event": True, "drop_after": 2, "drop": "close", "stall_after": 3, "stall": 4,
        "delay": 0.5, "usage": {"promptTokenCount": 7}, "signatures": False, "model_version": "v",
    }  # fmt: skip
    assert turn_from(value) == Turn(
        ["a", "b"], calls=(Call("f", {"x": 1}, "1"),), thoughts="hm", finish="SAFETY", blocked="OTHER",
        error=APIError(500, "m", "S", 1.5, []), error_after=1, error_event=True, drop_after=2, drop="close",
        stall_after=3, stall=4, delay=0.5, usage={"promptTokenCount": 7}, signatures=False, model_version="v",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("text: hi", "{path}: a script is a list of turns"),
        ("- txt: hi", "{path}:1: turn 1: a turn has no `txt`; did you mean `text`?"),
        ("- hi\n- 7", "{path}:2: turn 2: a turn is a mapping, not 7"),
        ("- calls: search", "{path}:1: turn 1: `calls` is a list, not 'search'"),
        ("- calls: [{args: {}}]", "{path}:1: turn 1: a call needs a `name`"),
        ("- error: {code: 200}", "{path}:1: turn 1: an error's code is 400 to 599, not 200"),
        ("- error: {status: X}", "{path}:1: turn 1: an error needs a `code`"),
        ("- {text: hi, drop_after: soon}", "{path}:1: turn 1: `drop_after` is a whole number, not 'soon'"),
        ("- {text: hi, drop_after: -1}", "{path}:1: turn 1: `drop_after` is a number of tokens, not -1"),
        ("- {text: hi, drop: gently}", "{path}:1: turn 1: `drop` is reset or close, not 'gently'"),
        ("- {text: hi, stall: 1000}", "{path}:1: turn 1: `stall` is 0 to 600 seconds, not 1000"),
        ("- {text: [1]}", "{path}:1: turn 1: `text` is a text or a list of texts, not [1]"),
        ("- {text: hi, when: 7}", "{path}:1: turn 1: `when` is a text, not 7"),
        ("- [", "{path}:1: "),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path, text, message):
    path = tmp_path / "script.yaml"
    path.write_text(text)
    with pytest.raises(TurnError) as caught:
        FakeGemini(script=path)
    assert str(caught.value).startswith(message.format(path=path))


def test_a_file_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        FakeGemini(script=tmp_path / "nothing.yaml")
