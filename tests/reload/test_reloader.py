"""Hot reload: on open sockets, by revision, and never worse than before."""

from __future__ import annotations

import gc
import os
import time

import pytest

from tests.runtime.support import served

FILES = {
    "events/all.yaml": """
        websocket.hello: {fn: hello, payload: {}}
        websocket.slow: {fn: slow, payload: {}}
        """,
    "functions/hello.py": "from helper.words import WORD\nasync def hello(): return WORD\n",
    "functions/slow.py": "import asyncio\nasync def slow():\n    await asyncio.sleep(0.3)\n    return 'old'\n",
    "helper/words.py": "WORD = 'one'\n",
}


@pytest.fixture
def service(tmp_path):
    with served(tmp_path, FILES) as running:
        yield running


def say(client):
    return client.ask("websocket.hello")["payload"].get("data")


def test_a_saved_handler_is_live_on_the_open_socket(service):
    with service.client() as client:
        assert say(client) == "one"
        service.write("functions/hello.py", "async def hello(): return 'two'\n")
        assert service.reload("functions/hello.py") == ()
        assert say(client) == "two"


def test_a_saved_helper_reloads_what_imports_it(service):
    with service.client() as client:
        service.write("helper/words.py", "WORD = 'two'\n")
        service.reload("helper/words.py")
        assert say(client) == "two"


def test_requests_in_flight_finish_on_the_code_they_began_with(service):
    with service.client() as client:
        client.send("websocket.slow", id="before")
        service.wait_for(service.service.is_busy)
        service.write("functions/slow.py", "async def slow(): return 'new'\n")
        service.reload("functions/slow.py")
        client.send("websocket.slow", id="after")

        assert client.answer("before")[-1]["payload"]["data"] == "old"
        assert client.answer("after")[-1]["payload"]["data"] == "new"


@pytest.mark.parametrize(
    ("path", "text", "code"),
    [
        ("functions/hello.py", "async def hello(: pass\n", "GS205"),
        ("functions/hello.py", "raise RuntimeError('at import')\nasync def hello(): ...\n", "GS214"),
        ("functions/hello.py", "import nothing_of_that_name\nasync def hello(): ...\n", "GS214"),
        ("helper/words.py", "raise SystemExit\n", "GS214"),
        ("events/all.yaml", "websocket.hello: {fn: helo, payload: {}}\n", "GS201"),
        ("events/all.yaml", "websocket.hello: {fn: hello, payload: {type: strin}}\n", "GS401"),
        ("events/all.yaml", "websocket.hello: [\n", "GS101"),
    ],
)
def test_a_change_with_an_error_is_reported_and_the_old_revision_serves(service, path, text, code):
    with service.client() as client:
        before = (service.root / path).read_text()
        service.write(path, text)
        assert code in [finding.code for finding in service.reload(path)]
        assert not service.reports[-1].live
        assert say(client) == "one"
        service.write(path, before)
        assert service.reload(path) == ()
        assert say(client) == "one"


def test_code_saved_beside_a_broken_file_goes_live_when_that_is_mended(service):
    with service.client() as client:
        good = (service.root / "events/all.yaml").read_text()
        service.write("events/all.yaml", "nonsense: [\n")
        service.reload("events/all.yaml")
        service.write("helper/words.py", "WORD = 'two'\n")
        service.reload("helper/words.py")
        assert say(client) == "one"

        service.write("events/all.yaml", good)
        service.reload("events/all.yaml")
        assert say(client) == "two"


def test_added_and_removed_files_count(service):
    with service.client() as client:
        assert client.ask("websocket.added")["payload"]["error"] == "unknown_event"
        service.write("events/more.yaml", "websocket.added: {fn: added, payload: {}}\n")
        service.write("functions/added.py", "async def added(): return 'here'\n")
        service.reload("events/more.yaml", "functions/added.py")
        assert client.ask("websocket.added")["payload"]["data"] == "here"

        (service.root / "events/more.yaml").unlink()
        service.reload("events/more.yaml")
        assert client.ask("websocket.added")["payload"]["error"] == "unknown_event"
        assert say(client) == "one"


def test_schemas_limits_and_config_change_on_open_sockets(service):
    with service.client() as client:
        service.write("events/all.yaml", "websocket.hello: {fn: hello, payload: {type: object}}\n")
        service.write("eventsources/websocket.yaml", "type: websocket\nport: 0\nlimits: {json_depth: 3}\n")
        service.reload("events/all.yaml", "eventsources/websocket.yaml")
        assert client.ask("websocket.hello", 5)["payload"]["error"] == "schema_violation"
        assert client.ask("websocket.hello", {"a": [[]]})["payload"]["error"] == "invalid_json"
        assert client.ask("websocket.hello", {})["payload"]["data"] == "one"


def test_limits_of_the_transport_count_for_the_next_connection(service):
    service.write("eventsources/websocket.yaml", "type: websocket\nport: 0\nlimits: {message_bytes: 100}\n")
    with service.client() as before:
        service.reload("eventsources/websocket.yaml")
        assert before.ask("websocket.hello", "x" * 200)["payload"]["data"] == "one"
    with service.client() as after:
        after.send("websocket.hello", "x" * 200)
        assert after.receive()["payload"]["error"] == "too_large"
        assert after.closed()[0] == 1009


def test_what_needs_a_restart_is_said(service):
    service.write("eventsources/websocket.yaml", "type: websocket\nport: 1\n")
    service.reload("eventsources/websocket.yaml")

    assert service.log("change takes effect after a restart")[0]["keys"] == ["port"]


def test_a_datasource_that_is_not_what_its_file_says_any_more_is_named(tmp_path):
    """Its file, or a value that it takes from `config/`: what runs was built before; said once, and not when undone."""
    files = {
        **FILES,
        "config/default.yaml": "size: 1\n",
        "datasources/store.yaml": "fn: stores.make\nsize: <% config.size %>\n",
        "functions/stores.py": "def make(config): return dict(config)\n",
    }
    with served(tmp_path, files) as service:
        said = "change takes effect after a restart"
        service.write("config/default.yaml", "size: 2\n")
        service.reload("config/default.yaml")
        assert [entry["datasource"] for entry in service.log(said)] == ["store"]
        service.write("helper/words.py", "WORD = 'two'\n")
        service.reload("helper/words.py")
        service.write("config/default.yaml", "size: 1\n")
        service.reload("config/default.yaml")
        assert len(service.log(said)) == 1
        service.write("datasources/another.yaml", "fn: stores.make\n")
        service.reload("datasources/another.yaml")
        assert [entry["datasource"] for entry in service.log(said)] == ["store", "another"]


def test_a_save_at_once_after_the_start_is_live(tmp_path):
    """Nothing falls between reading the files and watching them."""
    for number in range(3):
        with served(tmp_path, FILES, watch=True) as running, running.client() as client:
            running.write("helper/words.py", f"WORD = 'early {number}'\n")
            deadline = time.monotonic() + 5
            while say(client) != f"early {number}":
                assert time.monotonic() < deadline, "the save was lost"
                time.sleep(0.005)


def test_a_source_that_appears_is_served_and_one_that_goes_is_closed(service):
    service.write("eventsources/other.yaml", "type: websocket\nport: 0\n")
    service.write("events/other.yaml", "other.hello: {fn: hello, payload: {}}\n")
    assert service.reload("eventsources/other.yaml", "events/other.yaml") == ()
    service.ports = {name: address[1] for name, address in service.service.addresses().items()}
    with service.client("other") as client:
        assert client.ask("other.hello")["payload"]["data"] == "one"
        (service.root / "eventsources/other.yaml").unlink()
        (service.root / "events/other.yaml").unlink()
        service.reload("eventsources/other.yaml", "events/other.yaml")
        assert client.closed()[0] == 1001


def test_hundreds_of_reloads_leak_nothing(service):
    """Compared between two later rounds: what is allocated once is no leak."""

    def round_of_edits(count):
        for number in range(count):
            service.write("helper/words.py", f"WORD = 'word {number}'\nLARGE = [object() for _ in range(5000)]\n")
            service.reload("helper/words.py")
        service.reports.clear()
        gc.collect()
        return len(gc.get_objects())

    with service.client() as client:
        round_of_edits(20)
        before = round_of_edits(60)
        after = round_of_edits(140)
        assert say(client) == "word 139"
    assert after - before < 2500


def test_watched_edits_are_live_soon(tmp_path):
    """Edits of every style that editors have: write, truncate, rename over."""
    with served(tmp_path, FILES, watch=True) as running, running.client() as client:
        time.sleep(0.3)
        for number in range(10):
            text = f"WORD = 'edit {number}'\n"
            path = running.root / "helper/words.py"
            if number % 2:
                path.write_text(text)
            else:
                other = path.with_name("words.py.tmp")
                other.write_text(text)
                os.replace(other, path)
            deadline = time.monotonic() + 5
            while say(client) != f"edit {number}":
                assert time.monotonic() < deadline, f"edit {number} is not live"
                time.sleep(0.005)
