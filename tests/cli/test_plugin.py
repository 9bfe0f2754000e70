"""`gsws plugin add | remove | list | info`."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

from tests.cli.support import ROOT, build_wheel, gsws, inside, install_plugin, on_terminal, plugin_module


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def bare(starter: Path) -> Path:
    """A project whose source file is not there."""
    (starter / "eventsources/websocket.yaml").unlink()
    return starter


@pytest.fixture
def site(tmp_path: Path) -> Path:
    install_plugin(tmp_path / "site", "fine", plugin_module("fine"))
    return tmp_path / "site"


def test_add_writes_the_defaults_with_comments(bare):
    ran = inside("plugin", "add", "websocket", cwd=bare)
    assert (ran.code, ran.out, ran.err) == (
        0,
        "wrote eventsources/websocket.yaml\n",
        "next: gsws new event websocket.hello\n",
    )
    text = (bare / "eventsources/websocket.yaml").read_text()
    assert text.startswith(
        "# yaml-language-server: $schema=../.gsws/schemas/eventsource.schema.json\n# A WebSocket port."
    )
    assert "\ntype: websocket\n" in text
    assert inside("validate", cwd=bare).code == 0


def test_add_twice_changes_nothing(bare):
    assert inside("plugin", "add", "websocket", cwd=bare).code == 0
    before = everything(bare)
    ran = inside("plugin", "add", "websocket", cwd=bare)
    assert (ran.code, ran.out) == (0, "eventsources/websocket.yaml is there already; nothing changed\n")
    assert everything(bare) == before


def test_add_keeps_what_a_person_wrote(starter):
    path = starter / "eventsources/websocket.yaml"
    path.write_text("# mine\ntype: websocket   # the only one\nport: 9000\n")
    ran = inside("plugin", "add", "websocket", "--json", cwd=starter)
    assert ran.code == 0
    assert ran.json["written"] is False
    assert path.read_text() == "# mine\ntype: websocket   # the only one\nport: 9000\n"


def test_a_second_source_gets_the_next_free_port(starter):
    ran = inside("plugin", "add", "websocket", "--name", "chat", cwd=starter)
    assert (ran.code, ran.out) == (0, "wrote eventsources/chat.yaml\n")
    assert "port: 8001 " in (starter / "eventsources/chat.yaml").read_text()
    assert "gsws new event chat.hello" in ran.err
    again = inside("plugin", "add", "websocket", "--name", "third", "--json", cwd=starter)
    assert "port: 8002 " in (starter / "eventsources/third.yaml").read_text()
    assert again.json["path"] == "eventsources/third.yaml"
    assert inside("validate", cwd=starter).code == 0


def test_add_does_not_clobber_another_type(starter, site):
    (starter / "eventsources/websocket.yaml").write_text("type: fine\n")
    ran = gsws("plugin", "add", "websocket", cwd=starter, PYTHONPATH=str(site))
    assert ran.code == 1
    assert "is there already and has the type `fine`" in ran.err
    assert (starter / "eventsources/websocket.yaml").read_text() == "type: fine\n"


def test_add_in_a_project_under_src(starter):
    (starter / "src").mkdir()
    for folder in ("events", "functions", "eventsources"):
        (starter / folder).rename(starter / "src" / folder)
    ran = inside("plugin", "add", "websocket", "--name", "chat", cwd=starter / "src/events")
    assert (ran.code, ran.out) == (0, "wrote src/eventsources/chat.yaml\n")


@pytest.mark.parametrize(
    ("name", "help"),
    [
        ("websockt", "did you mean `websocket`?"),
        ("WebSocket", "did you mean `websocket`?"),
        ("web-socket", "did you mean `websocket`?"),
        ("@godspeedsystems/plugins-websocket-as-eventsource", "use `gsws plugin add websocket`"),
        (
            "@godspeedsystems/plugins-kafka-as-datasource-as-eventsource",
            "plugins have plain names: `chat_model`, `documents`, `threads`, `websocket`",
        ),
        ("-x", "known here: `chat_model`, `documents`, `threads`, `websocket`"),
        ("--index-url=http://127.0.0.1:9", "known here"),
        ("https://example.com/x.whl", "known here"),
        ("git+https://example.com/x", "known here"),
        ("./x", "known here"),
        ("../x", "known here"),
        ("/etc/passwd", "known here"),
        ("x;id", "known here"),
        ("$(id)", "known here"),
        ("x y", "known here"),
        ("x\nwebsocket", "`x\\nwebsocket` is no name"),
        ("x==1.0", "known here"),
        ("x[extra]", "known here"),
        ("a" * 300, "known here"),
        ("", "known here"),
        ("gsws-plugin-websocket.", None),
    ],
)
def test_names_that_are_none_are_refused(starter, name, help, monkeypatch):
    """Nothing is looked for, written or run."""
    monkeypatch.setattr("subprocess.run", None)
    before = everything(starter)
    ran = inside("plugin", "add", "--", name, cwd=starter)
    assert (ran.code, ran.out) == (2, ""), ran
    assert "installing" not in ran.err
    if help:
        assert help in ran.err
    assert everything(starter) == before


@pytest.mark.parametrize("name", ["../x", "a/b", "-x", "", "gsws", "a" * 100, "con", "x y"])
def test_source_names_that_are_none_are_refused(starter, name):
    before = everything(starter)
    ran = inside("plugin", "add", "websocket", f"--name={name}", cwd=starter)
    assert ran.code == 2
    assert inside("plugin", "remove", "--", name, cwd=starter).code == 2
    assert everything(starter) == before


def test_add_a_plugin_that_is_installed(starter, site):
    """The YAML comes from its defaults and schema, and the package is noted in pyproject.toml."""
    ran = gsws("plugin", "add", "fine", cwd=starter, PYTHONPATH=str(site))
    assert (ran.code, ran.out) == (0, "wrote eventsources/fine.yaml\n"), ran
    line, _, text = (starter / "eventsources/fine.yaml").read_text().partition("\n")
    assert line == "# yaml-language-server: $schema=../.gsws/schemas/eventsource.schema.json"
    assert text == "type: fine\n# time between two\nevery: 1s\n"
    assert '"type-fine"' in (starter / ".gsws/schemas/eventsource.schema.json").read_text()
    dependencies = tomllib.loads((starter / "pyproject.toml").read_text())["project"]["dependencies"]
    assert dependencies[-1] == "gsws-plugin-fine>=0.3.0"
    before = everything(starter)
    assert gsws("plugin", "add", "fine", cwd=starter, PYTHONPATH=str(site)).code == 0
    assert everything(starter) == before


def test_a_source_without_a_port_is_not_called_nor_given_keys(starter, site):
    """What is said next works, and no message goes to the port of another source."""
    gsws("plugin", "add", "fine", cwd=starter, PYTHONPATH=str(site))
    made = gsws("new", "event", "fine.tick", cwd=starter, PYTHONPATH=str(site))
    assert made.err == "next: gsws serve\n"
    called = gsws("call", "fine.tick", cwd=starter, PYTHONPATH=str(site))
    assert (called.code, called.out) == (1, "")
    assert called.err.startswith("error: `eventsources/fine.yaml` names no fixed port, and no running service ")
    added = gsws("keys", "add", "--subject", "ann", cwd=starter, PYTHONPATH=str(site))
    assert added.err.endswith(" into `eventsources/websocket.yaml`\n")


def test_a_plugin_with_a_port_is_called_there(starter, tmp_path):
    """And not at the only websocket source, which knows none of its events."""
    module = (
        plugin_module("gate").replace('"every": "1s"', '"port": 9').replace('"every": {"type": "string"', '"port": {')
    )
    install_plugin(tmp_path / "site", "gate", module.replace('{, "desc', '{"desc'))
    (starter / "eventsources/gate.yaml").write_text("type: gate\n")
    ran = gsws("call", "gate.hello", cwd=starter, PYTHONPATH=str(tmp_path / "site"))
    assert ran.err.startswith("error: nothing is listening at ws://127.0.0.1:9/\n")


def test_a_datasource_goes_to_its_folder(starter, tmp_path):
    install_plugin(tmp_path / "site", "pool", plugin_module("pool", "datasource"))
    ran = gsws("plugin", "add", "pool", cwd=starter, PYTHONPATH=str(tmp_path / "site"))
    assert (ran.code, ran.out) == (0, "wrote datasources/pool.yaml\n"), ran


def test_a_broken_pyproject_stops_before_anything(starter, site):
    (starter / "pyproject.toml").write_text("[project\n")
    ran = gsws("plugin", "add", "fine", cwd=starter, PYTHONPATH=str(site))
    assert ran.code == 1
    assert ran.err.startswith("error: cannot read pyproject.toml: ")
    assert not (starter / "eventsources/fine.yaml").exists()


def test_without_pyproject_it_says_so(starter, site):
    (starter / "pyproject.toml").unlink()
    ran = gsws("plugin", "add", "fine", cwd=starter, PYTHONPATH=str(site))
    assert ran.code == 0
    assert "`gsws-plugin-fine` is in no list of requirements" in ran.err
    assert not (starter / "pyproject.toml").exists()


def test_a_plugin_that_raises_is_named_and_isolated(starter, tmp_path):
    install_plugin(tmp_path / "site", "bad", "raise RuntimeError('no luck')\n")
    path = str(tmp_path / "site")
    ran = gsws("plugin", "add", "bad", cwd=starter, PYTHONPATH=path)
    assert ran.code == 1
    assert "the plugin `bad` (gsws-plugin-bad 0.3.0) cannot be loaded: RuntimeError: no luck" in ran.err
    assert not (starter / "eventsources/bad.yaml").exists()
    listed = gsws("plugin", "list", "--json", cwd=starter, PYTHONPATH=path).json["plugins"]
    usable = {plugin["type"]: plugin["error"] is None for plugin in listed}
    assert usable == {"bad": False, "chat_model": True, "documents": True, "threads": True, "websocket": True}
    assert gsws("validate", cwd=starter, PYTHONPATH=path).code == 0


def test_remove(starter):
    path = starter / "eventsources/websocket.yaml"
    ran = inside("plugin", "remove", "websocket", cwd=starter)
    assert (ran.code, ran.out) == (0, "removed eventsources/websocket.yaml\n")
    assert "warning: `websocket.greet` and 1 more used it (events/greet.yaml:3)" in ran.err
    assert not path.exists()
    again = inside("plugin", "remove", "websocket", cwd=starter)
    assert (again.code, again.out) == (1, "")


def test_remove_suggests(starter):
    ran = inside("plugin", "remove", "websoket", cwd=starter)
    assert ran.code == 1
    assert ran.err == "error: no source `websoket` in this project\n  help: did you mean `websocket`?\n"


def test_remove_of_an_edited_file_needs_a_word(starter):
    """Without a terminal nobody is asked and nothing is lost."""
    path = starter / "eventsources/websocket.yaml"
    path.write_text("type: websocket\npath: /chat\n")
    ran = gsws("plugin", "remove", "websocket", cwd=starter, stdin="y\n")
    assert ran.code == 1
    assert "`--yes` removes it all the same" in ran.err
    assert path.exists()
    ran = inside("plugin", "remove", "websocket", "--yes", "--json", cwd=starter)
    assert ran.json == {
        "ok": True,
        "source": "websocket",
        "path": "eventsources/websocket.yaml",
        "orphans": ["websocket.greet", "websocket.stream"],
    }
    assert not path.exists()


@pytest.mark.parametrize(("answer", "gone"), [("y", True), ("n", False), ("", False)])
def test_remove_asks_on_a_terminal(starter, answer, gone):
    path = starter / "eventsources/websocket.yaml"
    path.write_text("type: websocket\npath: /chat\n")
    seen = on_terminal("plugin", "remove", "websocket", cwd=starter, typed=f"{answer}\n")
    assert "eventsources/websocket.yaml was edited. Remove it? [y/N]" in seen
    assert path.exists() is not gone


def test_add_then_remove_needs_no_word(starter):
    inside("plugin", "add", "websocket", "--name", "chat", cwd=starter)
    assert inside("plugin", "remove", "chat", cwd=starter).code == 0


def test_list_and_info(starter, site, tmp_path):
    ran = gsws("plugin", "list", cwd=starter, PYTHONPATH=str(site))
    assert ran.out == (
        "PLUGIN\tMAKES\tFROM\tUSED BY\tSTATE\n"
        "chat_model\tdatasource\tbuilt in\t-\tok\n"
        "documents\tdatasource\tbuilt in\t-\tok\n"
        "fine\teventsource\tgsws-plugin-fine 0.3.0\t-\tok\n"
        "threads\tdatasource\tbuilt in\t-\tok\n"
        "websocket\teventsource\tbuilt in\twebsocket\tok\n"
    )
    outside = inside("plugin", "list", "--json", cwd=tmp_path)
    assert outside.json["plugins"][0]["used_by"] == []
    info = gsws("plugin", "info", "fine", cwd=starter, PYTHONPATH=str(site))
    assert info.out.startswith("type     fine\nmakes    eventsource\nfrom     gsws-plugin-fine 0.3.0\n")
    assert "every\t1s\ttime between two\n" in info.out
    facts = inside("plugin", "info", "websocket", "--json", cwd=starter).json
    assert facts["default_config"]["port"] == 8000
    assert facts["config_schema"]["properties"]["port"]
    missing = inside("plugin", "info", "websockt", cwd=starter)
    assert (missing.code, missing.out) == (1, "")
    assert "did you mean `websocket`?" in missing.err


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> str:
    """An interpreter with an environment of its own that sees gsws and its libraries; pip installs into it alone."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=60)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text(f"{sysconfig.get_paths()['purelib']}\n{ROOT}\n")
    return str(folder / "bin/python")


def installed(python: str) -> set[str]:
    code = "import importlib.metadata as m; print(*[d.name for d in m.distributions()])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return {name for name in done.stdout.split() if name.startswith("gsws-plugin")}


def offline(wheels: Path) -> dict[str, str]:
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": "/dev/null"}


def test_add_installs_what_is_not_there(starter, tmp_path, python):
    build_wheel(tmp_path / "wheels", "gizmo", plugin_module("gizmo"))
    before = (starter / "pyproject.toml").read_text()
    ran = gsws("plugin", "add", "gizmo", cwd=starter, python=python, **offline(tmp_path / "wheels"))
    assert (ran.code, ran.out) == (0, "wrote eventsources/gizmo.yaml\n"), ran
    assert "installing gsws-plugin-gizmo into " in ran.err
    assert "gsws-plugin-gizmo" in installed(python)
    after = (starter / "pyproject.toml").read_text()
    assert after == before.replace(",\n]", ',\n    "gsws-plugin-gizmo>=0.3.0",\n]', 1)
    assert gsws("validate", cwd=starter, python=python).code == 0


@pytest.mark.parametrize(
    ("type", "module", "says"),
    [
        ("nowhere", None, "No matching distribution found for gsws-plugin-nowhere"),
        ("faulty", "raise RuntimeError('no luck')\n", "RuntimeError: no luck"),
        ("liar", plugin_module("truth"), "has the type 'truth', but its entry point is named `liar`"),
    ],
)
def test_a_failed_install_leaves_everything_as_it_was(starter, tmp_path, python, type, module, says):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    if module is not None:
        build_wheel(wheels, type, module)
    before = everything(starter)
    ran = gsws("plugin", "add", type, cwd=starter, python=python, **offline(wheels))
    assert (ran.code, ran.out) == (4, ""), ran
    assert says in ran.err
    assert everything(starter) == before
    assert f"gsws-plugin-{type}" not in installed(python)


def test_a_failed_write_takes_the_requirement_back(starter, site):
    """pyproject.toml and the YAML are written together or not at all."""
    (starter / "eventsources").rename(starter / "elsewhere")
    (starter / "eventsources").symlink_to(starter / "elsewhere")
    before = (starter / "pyproject.toml").read_bytes()
    ran = gsws("plugin", "add", "fine", cwd=starter, PYTHONPATH=str(site))
    assert ran.code == 1, ran
    assert (starter / "pyproject.toml").read_bytes() == before
    assert not (starter / "elsewhere/fine.yaml").exists()
