"""Nothing is said to be live that is not: each setting is taken over by a reload, or is named as needing a restart."""

from __future__ import annotations

import asyncio
from dataclasses import fields

import pytest

from gsws.project.specs import LogSpec, ResumeSpec, Settings
from gsws.reload.reloader import Check
from tests.runtime.support import served
from tests.runtime.transport.test_certificate import make_certificate

FILES = {
    "events/e.yaml": "websocket.a: {fn: a, payload: {}}\n",
    "functions/a.py": "async def a(): return 1\n",
    "gsws.yaml": "name: one\ndrain_timeout: 8s\n",
}
RESTART = "change takes effect after a restart"

LIVE = {
    "name": "name: two",
    "version": "version: 2.0.1",
    "drain_timeout": "drain_timeout: 1s",
    "resume": "resume: {window: 5s, bytes: 2MiB, total: 3MiB, sessions: 7}",
    "log": "log: {level: debug}",
}
NAMED = {"lifespan": "lifespan: a.forever"}
NAMED_OF_LOG = {"format": "log: {format: json}", "access": "log: {access: false}"}
WITHOUT_EFFECT = {"backplane", "telemetry", "written"}


def test_every_setting_is_live_or_named():
    """A setting that is added has to be put into one of the groups, and is tried below."""
    assert {field.name for field in fields(Settings)} == {*LIVE, *NAMED, *WITHOUT_EFFECT}
    assert {field.name for field in fields(LogSpec)} == {"level", *NAMED_OF_LOG}


def restarts(service):
    return [entry for entry in service.logs if entry["event"] == RESTART]


@pytest.mark.parametrize("key", LIVE)
def test_a_live_setting_counts_at_once_and_no_restart_is_asked_for(tmp_path, key):
    with served(tmp_path, FILES) as service:
        service.write("gsws.yaml", LIVE[key] + "\n")
        assert service.reload("gsws.yaml") == ()
        assert restarts(service) == []


def test_the_drain_time_and_what_is_kept_of_sessions_follow_the_file(tmp_path):
    with served(tmp_path, FILES) as service:
        service.write("gsws.yaml", f"{LIVE['drain_timeout']}\n{LIVE['resume']}\n")
        service.reload("gsws.yaml")
        with service.client(subprotocols=["gsws.v1"]) as client:
            assert client.receive()["payload"]["resume_window_ms"] == 5000
        live, away = service.service.live["websocket"], service.service._waiting
        assert live.registry.bytes == 2 * 2**20
        assert (away.pool.limit, away._limit) == (3 * 2**20, 7)
        assert {field.name for field in fields(ResumeSpec)} == {"window", "bytes", "total", "sessions"}


def test_a_shorter_drain_time_is_the_one_that_counts(tmp_path):
    files = {**FILES, "functions/a.py": "import asyncio\nasync def a(): await asyncio.sleep(60)\n"}
    with served(tmp_path, files) as service:
        service.write("gsws.yaml", "drain_timeout: 100ms\n")
        service.reload("gsws.yaml")
        with service.client() as client:
            client.send("websocket.a", id=1)
            service.wait_for(service.service.is_busy)
            service.call(lambda: service.end())
            assert client.answer(1)[-1]["payload"]["error"] == "draining"


@pytest.mark.parametrize("key", NAMED)
def test_what_is_not_live_is_named(tmp_path, key):
    files = {**FILES, "functions/a.py": FILES["functions/a.py"] + "async def forever(ctx): ...\n"}
    with served(tmp_path, files) as service:
        service.write("gsws.yaml", NAMED[key] + "\n")
        service.reload("gsws.yaml")
        assert any(key in entry for entry in restarts(service))


@pytest.mark.parametrize("key", NAMED_OF_LOG)
def test_how_the_log_is_written_stays(tmp_path, key):
    with served(tmp_path, FILES) as service:
        service.write("gsws.yaml", NAMED_OF_LOG[key] + "\n")
        service.reload("gsws.yaml")
        assert [entry["keys"] for entry in restarts(service)] == [[f"log.{key}"]]


SOURCE = {
    "host": ("host: localhost", "host"),
    "port": ("port: 1", "port"),
    "tls": ("tls: {cert: tls/cert.pem, key: tls/key.pem}", "tls"),
}


@pytest.mark.parametrize("key", SOURCE)
def test_keys_of_a_source_that_need_a_restart_are_named(tmp_path, key):
    text, name = SOURCE[key]
    make_certificate(tmp_path / "tls", "localhost")
    with served(tmp_path, FILES) as service:
        service.write(
            "eventsources/websocket.yaml", f"type: websocket\nport: 0\n{text}\n".replace("port: 0\nport", "port")
        )
        service.reload("eventsources/websocket.yaml")
        assert [entry["keys"] for entry in restarts(service)] == [[name]]


DATASOURCE = {
    **FILES,
    "datasources/store.yaml": "fn: stores.make\nsize: ${SIZE:-3}\n",
    "functions/stores.py": "def make(config): return config\n",
}


def test_a_datasource_keeps_what_it_was_made_of_and_its_keys_are_named(tmp_path, monkeypatch):
    with served(tmp_path, DATASOURCE) as service:
        service.write(".env", "SIZE=4\n")
        service.reload(".env")
        assert [(entry["datasource"], entry["keys"]) for entry in restarts(service)] == [("store", ["size"])]
        service.logs.clear()
        service.write("functions/a.py", "async def a(): return 2\n")
        service.reload("functions/a.py")
        assert restarts(service) == []


def test_a_datasource_whose_code_was_changed_or_whose_file_is_gone_is_named(tmp_path):
    with served(tmp_path, DATASOURCE) as service:
        service.write("functions/stores.py", "def make(config): return 'another'\n")
        service.reload("functions/stores.py")
        assert [(entry["datasource"], entry["keys"]) for entry in restarts(service)] == [("store", ["fn"])]
        service.logs.clear()
        (tmp_path / "datasources/store.yaml").unlink()
        service.reload("datasources/store.yaml")
        assert [entry["datasource"] for entry in restarts(service)] == ["store"]


def test_a_variable_that_a_plugin_looked_up_at_the_start_is_named_and_never_shown(tmp_path):
    """As the key of a model."""
    files = {**FILES, "datasources/model.yaml": "type: chat_model\nmodel: auto\n"}
    with served(tmp_path, files) as service:
        service.logs.clear()
        service.write(".env", "GOOGLE_API_KEY=sesame-open\nOTHER=1\n")
        service.reload(".env")
        (entry,) = restarts(service)
        assert (entry["datasource"], entry["keys"]) == ("model", ["GOOGLE_API_KEY"])
        assert "sesame" not in str(service.logs)


def test_a_variable_of_dotenv_reaches_look_ups_at_once(tmp_path):
    files = {
        **FILES,
        "config/default.yaml": "word: ${WORD:-none}\nother: <% process.env.OTHER %>\n",
        "functions/a.py": "async def a(config): return [config.word, config.other]\n",
        ".env": "OTHER=x\n",
    }
    with served(tmp_path, files) as service, service.client() as client:
        service.write(".env", "WORD=hello\nOTHER=y\n")
        service.reload(".env")
        assert client.ask("websocket.a")["payload"]["data"] == ["hello", "y"]
        assert restarts(service) == []


def test_a_variable_of_dotenv_that_the_environment_overrides_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("WORD", "outer")
    with served(tmp_path, FILES) as service:
        service.write(".env", "WORD=inner\nFREE=1\n")
        service.reload(".env")
        told = [entry for entry in service.logs if "environment too" in entry["event"]]
        assert [entry["keys"] for entry in told] == [["WORD"]]


# A look at the files that ends badly.


@pytest.mark.parametrize(
    "error",
    [RuntimeError("boom"), RecursionError(), MemoryError(), SystemExit(3), type("Panic", (BaseException,), {})("rust")],
)
def test_a_check_that_crashes_leaves_everything_running(tmp_path, monkeypatch, error):
    with served(tmp_path, FILES, watch=True) as service, service.client() as client:

        def crash(self):
            raise error

        with monkeypatch.context() as patched:
            patched.setattr(Check, "run", crash)
            service.write("functions/a.py", "async def a(): return 2\n")
            service.wait_for(lambda: service.log("reload failed; the running revision stays"))
            assert client.ask("websocket.a")["payload"]["data"] == 1
        service.reports.clear()
        service.write("events/e.yaml", FILES["events/e.yaml"] + "\n")
        service.wait_for(lambda: service.reports and service.reports[-1].live)
        assert client.ask("websocket.a")["payload"]["data"] == 2


def test_a_check_that_does_not_end_is_given_up_and_the_next_one_goes_through(tmp_path, monkeypatch):
    monkeypatch.setattr("gsws.reload.reloader._CHECK_SECONDS", 0.3)
    ended = []

    def hang(self):
        import threading

        self._thread = threading.get_ident()
        try:
            while True:
                pass
        finally:
            ended.append(True)

    with served(tmp_path, FILES, watch=True) as service, service.client() as client:
        with monkeypatch.context() as patched:
            patched.setattr(Check, "run", hang)
            service.write("functions/a.py", "async def a(): return 2\n")
            (entry,) = service.wait_for(lambda: service.log("not reloaded; what ran before keeps running"))
            assert "took longer than 0.3 s" in entry["error"]
            assert client.ask("websocket.a")["payload"]["data"] == 1
        service.wait_for(lambda: ended)
        service.reports.clear()
        service.write("functions/a.py", "async def a(): return 3\n")
        service.wait_for(lambda: service.reports and service.reports[-1].live)
        assert client.ask("websocket.a")["payload"]["data"] == 3


def test_what_was_reloaded_always_has_a_name(tmp_path):
    with served(tmp_path, {**FILES, "helper/words.py": ""}) as service:
        (tmp_path / "helper/words.py").unlink()
        (tmp_path / "helper").rmdir()
        service.reload("helper")
        assert service.reports[-1].changed == ("helper",)


def test_a_reload_of_a_project_that_vanished_leaves_it_running(tmp_path):
    root = tmp_path / "app"
    root.mkdir()
    with served(root, FILES) as service, service.client() as client:
        root.rename(tmp_path / "away")
        assert service.reload("functions") != ()
        assert client.ask("websocket.a")["payload"]["data"] == 1
        (tmp_path / "away").rename(root)
        assert service.reload("functions") == ()


def test_the_reloader_outlives_a_watcher_that_panics(tmp_path, monkeypatch):
    calls = []

    async def watching(*_):
        calls.append(1)
        if len(calls) == 1:
            raise type("Panic", (BaseException,), {})("rust")
        yield {tmp_path / "events/e.yaml"}
        await asyncio.sleep(60)

    monkeypatch.setattr("gsws.reload.reloader.watch", watching)
    monkeypatch.setattr("gsws.reload.reloader._AGAIN_SECONDS", 0.01)
    with served(tmp_path, FILES, watch=True) as service:
        service.wait_for(lambda: service.reports)
        assert service.log("watching for changes failed; beginning again")
