"""Loading whole projects: what is found, in which order, and what a reload costs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gsws.project import ProjectCache

SEED = """\
"websocket.stream":
  fn: stream_gemini
  schema:
    type: object
    required:
      - eventtype
      - payload
    properties:
      eventtype:
        type: string
      payload:
        type: object
        required:
          - message
        properties:
          message:
            type: string
"""


def test_the_original_project_loads_from_src(empty):
    """A project written for the original framework, under src/, loads without a finding."""
    project = empty.load(
        {
            "src/eventsources/websocket.yaml": "type: websocket\nport: 8000\n",
            "src/events/websocket_stream.yaml": SEED,
            "src/functions/stream_gemini.py": "async def stream_gemini(ctx): ...\n",
        }
    )

    assert project.findings == ()
    assert project.base == empty.root / "src"
    (event,) = project.events
    assert (event.key, event.source, event.fn, event.validates) == (
        "websocket.stream",
        "websocket",
        "stream_gemini",
        "message",
    )
    assert event.handler.module == "stream_gemini"
    assert event.inbound.check({"eventtype": "websocket.stream", "payload": {"message": "hi"}})
    assert not event.inbound.check({"eventtype": "websocket.stream", "payload": {}})
    assert project.sources["websocket"].config["port"] == 8000
    assert project.sources["websocket"].config["limits"]["in_flight"] == 32


def test_all_findings_are_collected_in_reading_order(tree):
    """One load tells everything: YAML, keys, values, functions and sources."""
    codes = tree.codes(
        {
            "gsws.yaml": "nam: x\n",
            "eventsources/websocket.yaml": "type: websocket\nprot: 1\n",
            "events/a.yaml": '"websocket.a": {fn: nowhere, timeout: soon}\n"kafka.x": {fn: chat}\n',
            "events/b.yaml": "a: [\n",
            "functions/broken.py": "def f(:\n",
        }
    )

    assert codes == ["GS201", "GS306", "GS303", "GS101", "GS305", "GS205", "GS305"]


def test_a_folder_without_a_project_is_one_error(empty):
    project = empty.load()

    assert [(one.code, one.span) for one in project.findings] == [("GS001", None), ("GS005", None)]
    assert not project.ok()


def test_a_project_without_events_is_a_warning(empty):
    project = empty.load({"gsws.yaml": "name: app\n", "eventsources/websocket.yaml": "type: websocket\n"})

    assert [one.code for one in project.findings] == ["GS005"]
    assert project.ok()


def test_root_and_src_may_not_both_hold_events(tree):
    assert "GS310" in tree.codes({"src/events/a.yaml": "{}\n"})


def test_findings_render_with_an_excerpt(tree):
    """The narrowest place, what was expected, and the nearest name."""
    assert tree.rendered({"events/chat.yaml": '"websocket.chat":\n  fn: chta\n'}) == (
        "error[GS201]: no function `chta` under functions/\n"
        "  --> events/chat.yaml:2:7\n"
        "   |\n"
        " 2 |   fn: chta\n"
        "   |       ^^^^ named here\n"
        "   = help: did you mean `chat`?"
    )


def test_a_reload_reads_only_what_changed(tree):
    """Specs, validators and documents of untouched files are the same objects as before."""
    tree.cache = ProjectCache()
    tree.write("events/other.yaml", '"websocket.other": {fn: chat, payload: {type: object}}\n')
    first = tree.load()
    tree.write("events/chat.yaml", '"websocket.chat": {fn: chat, timeout: 5s}\n')
    second = tree.load()

    by_key = {event.key: event for event in first.events}
    assert {event.key: event.timeout for event in second.events} == {"websocket.chat": 5.0, "websocket.other": None}
    for event in second.events:
        if event.key == "websocket.other":
            assert event.inbound is by_key[event.key].inbound


def test_an_edit_of_the_same_size_within_one_clock_tick_is_seen(tree):
    """The content counts when the time of a file cannot tell."""
    tree.cache = ProjectCache()
    tree.load()
    path = tree.root / "events/chat.yaml"
    status = path.stat()
    path.write_text('"websocket.chaT": {fn: chat}\n')
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    assert [event.key for event in tree.load().events] == ["websocket.chaT"]


def test_a_deleted_file_is_gone_after_a_reload(tree):
    tree.cache = ProjectCache()
    tree.load()
    (tree.root / "functions/chat.py").unlink()

    assert [finding.code for finding in tree.load().findings] == ["GS201"]


def test_a_changed_variable_is_seen_by_a_reload(tree):
    tree.cache = ProjectCache()
    tree.environ = {"T": "5s"}
    tree.write("events/chat.yaml", '"websocket.chat": {fn: chat, timeout: "${T}"}\n')
    assert tree.load().events[0].timeout == 5.0
    tree.environ = {"T": "6s"}
    assert tree.load().events[0].timeout == 6.0


def test_a_changed_definition_recompiles_what_refers_to_it(tree):
    tree.cache = ProjectCache()
    tree.write("definitions/d.yaml", "Name: {type: string}\n")
    tree.write("events/chat.yaml", '"websocket.chat": {fn: chat, payload: {$ref: "#/definitions/d/Name"}}\n')
    assert tree.load().events[0].inbound.check("x")
    tree.write("definitions/d.yaml", "Name: {type: integer}\n")
    project = tree.load()

    assert project.findings == ()
    assert not project.events[0].inbound.check("x")


def test_a_changed_file_is_all_that_is_read_again(tree):
    """Of a hundred events the validators of the others are the ones that were compiled before."""
    for number in range(100):
        tree.write(
            f"events/e{number}.yaml",
            f'"websocket.e{number}":\n  fn: f{number}\n  payload:\n    type: object\n    required: [message]\n'
            f"    properties: {{message: {{type: string, maxLength: {number + 1}}}}}\n",
        )
        tree.write(f"functions/f{number}.py", "async def handler(ctx, payload):\n    return payload\n")
    before = {event.key: event.inbound for event in tree.load().events}
    tree.write("events/e7.yaml", '"websocket.e7": {fn: f7, payload: {type: object}}\n')
    project = tree.load()

    assert project.findings == ()
    assert {event.key for event in project.events if event.inbound is not before[event.key]} == {"websocket.e7"}


def test_importing_the_project_model_imports_no_engine():
    """`--help` and completion must not wait for schema engines, sockets or command-line libraries."""
    code = (
        "import sys, gsws.project\n"
        "heavy = {'jsonschema', 'jsonschema_rs', 'asyncio', 'websockets', 'typer', 'rich', 'dotenv', 'ssl'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert found.stdout.strip() == "[]"


def test_loading_runs_no_user_code(tree):
    project = tree.load({"functions/chat.py": "raise SystemExit('ran')\nasync def chat(ctx): ...\n"})

    assert project.findings == ()


@pytest.mark.parametrize("name", ["../../etc", "a/b", "", "x" * 100])
def test_an_environment_is_a_plain_name(tree, name):
    """`--env ../../x` reads no file outside config/."""
    assert [finding.code for finding in tree.load(env=name).findings] == ["GS307"]
