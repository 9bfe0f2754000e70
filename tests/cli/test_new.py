"""`gsws new`: one element, wired; nothing overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.support import inside


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        (["event", "hello"], ["events/hello.yaml", "functions/hello.py"]),
        (["event", "websocket.hello"], ["events/hello.yaml", "functions/hello.py"]),
        (["event", "websocket.room-1.joined", "--stream"], ["events/room-1_joined.yaml", "functions/room_1_joined.py"]),
        (["event", "class"], ["events/class.yaml", "functions/on_class.py"]),
        (["event", "json"], ["events/json.yaml", "functions/json.py"]),
        (["event", "again", "--fn", "greet"], ["events/again.yaml"]),
        (["event", "deep", "--fn", "a.b.c"], ["events/deep.yaml", "functions/a/b/c.py"]),
        (["source", "chat"], ["eventsources/chat.yaml"]),
    ],
)
def test_what_it_writes_is_valid(starter, arguments, written):
    ran = inside("new", *arguments, "--json", cwd=starter)
    assert ran.code == 0, ran
    assert ran.json["files"] == written
    checked = inside("validate", cwd=starter)
    assert (checked.code, checked.out) == (0, ""), checked


def test_function(starter):
    ran = inside("new", "function", "tools.add", cwd=starter)
    assert (ran.code, ran.out, ran.err) == (
        0,
        "wrote functions/tools/add.py\n",
        "next: `fn: tools.add` in an event names it\n",
    )
    assert inside("validate", cwd=starter).code == 0


def test_output(starter):
    ran = inside("new", "event", "hello", cwd=starter / "functions")
    assert ran.out == "wrote events/hello.yaml\nwrote functions/hello.py\n"
    assert ran.err == "next: gsws call websocket.hello message=hello\n"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["event", "greet"], 1, "the event `websocket.greet` is there already: events/greet.yaml:3"),
        (["event", "websockt.x"], 1, "did you mean `websocket`?"),
        (["event", "websocket"], 1, "`gsws new event websocket.hello` names an event of it"),
        (["event", "stream_words"], 1, "a function `stream_words` is there already"),
        (["event", "a b"], 2, "try `a_b`"),
        (["event", "../x"], 2, "is no event name"),
        (["event", "x", "--fn", "../x"], 2, "is no function name"),
        (["event", "x" * 255], 2, "255 characters long"),
        (["function", "greet"], 1, "a function `greet` is there already"),
        (["function", "class"], 2, "try `on_class`"),
        (["function", "../../x"], 2, "is no function name"),
        (["function", "/tmp/x"], 2, "is no function name"),
        (["source", "websocket"], 1, "`eventsources/websocket.yaml` is there already"),
        (["source", "x", "--type", "websockt"], 2, "did you mean `websocket`?"),
        (["source", "a/b"], 2, "is no name of a source"),
        (["source", "gsws"], 2, "belongs to the protocol"),
    ],
)
def test_refusals_write_nothing(starter, arguments, code, says):
    before = everything(starter)
    ran = inside("new", *arguments, cwd=starter)
    assert (ran.code, ran.out) == (code, ""), ran
    assert says in ran.err
    assert everything(starter) == before


def test_an_event_file_in_the_way_is_not_touched(starter):
    """The file takes the source's name too; when both are taken, nothing is written."""
    (starter / "events/hello.yaml").write_text('"websocket.other": {fn: greet}\n')
    assert inside("new", "event", "hello", "--json", cwd=starter).json["files"][0] == "events/websocket_hello.yaml"
    assert (starter / "events/hello.yaml").read_text() == '"websocket.other": {fn: greet}\n'


def test_which_source(starter):
    inside("new", "source", "chat", cwd=starter)
    ran = inside("new", "event", "hello", cwd=starter)
    assert ran.code == 2
    assert "say one of `chat.hello`, `websocket.hello`" in ran.err
    assert inside("new", "event", "chat.hello", cwd=starter).code == 0
    (starter / "eventsources/chat.yaml").unlink()
    (starter / "eventsources/websocket.yaml").unlink()
    ran = inside("new", "event", "more", cwd=starter)
    assert (ran.code, "gsws plugin add websocket" in ran.err) == (1, True)


def test_symlinked_folder_is_not_followed(starter, tmp_path):
    outside = tmp_path / "outside"
    (starter / "functions").rename(outside)
    (starter / "functions").symlink_to(outside)
    before = everything(outside)
    ran = inside("new", "function", "fresh", cwd=starter)
    assert ran.code == 1
    assert everything(outside) == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["event", "Greet"], "the event `websocket.Greet` is there already as `websocket.greet`: events/greet.yaml:3"),
        (["event", "other", "--fn", "Greet"], "`functions/greet.py` is there already"),
        (["function", "GREET"], "`functions/GREET.py` would differ from it only by case"),
        (["source", "WebSocket"], "`eventsources/websocket.yaml` is there already"),
    ],
)
def test_a_name_that_differs_only_by_case_is_refused(starter, arguments, says):
    """On some systems the two are one file, and the project would not be valid on any."""
    before = everything(starter)
    ran = inside("new", *arguments, cwd=starter)
    assert (ran.code, ran.out) == (1, ""), ran
    assert says in ran.err
    assert everything(starter) == before


@pytest.mark.parametrize("keys", ["fn: countdown", "fn: greet\n  authz: countdown"])
def test_a_function_that_is_waited_for_needs_no_naming(starter, keys):
    (starter / "events/more.yaml").write_text(f"websocket.more:\n  {keys}\n")
    ran = inside("new", "function", "countdown", cwd=starter)
    assert (ran.code, ran.err) == (0, "next: gsws validate\n")
