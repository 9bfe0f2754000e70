"""What `gsws validate` reads and runs in a checkout of somebody else's."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gsws.project import find_root, foreign_root
from tests.cli.support import ROOT, environment, gsws, inside
from tests.docs.pages import DOCS

RUNS = "import pathlib\npathlib.Path({0!r}).write_text(__name__)\n"
SHADOWS = (
    "msgspec.py", "orjson.py", "jsonschema_rs.py", "structlog.py", "typer.py", "rich.py", "click/__init__.py",
    "ruamel/__init__.py", "_ruamel_yaml.py", "dotenv/__init__.py", "json.py", "secrets.py", "tomlkit/__init__.py",
    "packaging/__init__.py", "pip/__init__.py", "pip/__main__.py", "conftest.py", "setup.py",
)  # fmt: skip
IN_ISOLATION = ("gsws/__init__.py", "gsws/__main__.py", "sitecustomize.py", "usercustomize.py", "venv.py", "runpy.py")

WATCH = """
import json, os, sys
seen = []
EVENTS = ("open", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect", "socket.getaddrinfo",
          "os.rename", "os.remove", "os.mkdir", "os.symlink", "os.link", "exec")
def hook(event, arguments):
    if event in EVENTS:
        first = arguments[0] if arguments else None
        if event == "exec":
            first = getattr(first, "co_filename", "")
        elif isinstance(first, bytes):
            first = os.fsdecode(first)
        seen.append([event, str(first), str(arguments[1]) if event == "open" else ""])
sys.addaudithook(hook)
from gsws.cli.entry import main
code = main(sys.argv[1:])
sys.stdout.flush()
os.write(2, ("SEEN" + json.dumps(seen)).encode())
"""


@pytest.fixture
def hostile(starter, tmp_path):
    """A project whose files are called like what gsws imports; each leaves a mark when it is run."""
    mark = tmp_path / "was-run"
    for name in SHADOWS:
        path = starter / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(RUNS.format(str(mark)))
    return starter, mark


def test_python_m_runs_nothing_of_the_working_directory(hostile):
    """`python -m` puts the working directory first; no module that lies there is taken."""
    project, mark = hostile
    gsws("validate", "--fix", cwd=project)
    assert not mark.exists(), mark.read_text()


@pytest.mark.parametrize("value", ["", ".", ":", f"{os.pathsep}/nowhere"])
def test_an_empty_item_of_pythonpath_is_not_the_working_directory(hostile, value):
    project, mark = hostile
    (project / "json.py").unlink()  # what Python itself takes before any of our lines is not ours to keep out
    (project / "secrets.py").unlink()
    script = Path(sys.executable).with_name("gsws")
    done = subprocess.run(
        [script, "validate"], cwd=project, env=environment(PYTHONPATH=value), capture_output=True, timeout=60
    )
    assert done.returncode in (0, 1), done.stderr
    assert not mark.exists(), mark.read_text()


def test_the_action_runs_nothing_of_the_checkout(hostile):
    """Each Python of the action is isolated, and an isolated one takes nothing from where it stands."""
    text = (ROOT / ".github/actions/validate/action.yaml").read_text("utf-8")
    script = text.partition("run: |\n")[2]
    calls = re.findall(r"^ +(\S*python\S*) (.*)", script, re.MULTILINE)
    assert len(calls) == 3
    assert all(arguments.startswith("-I -m ") for _, arguments in calls), calls
    assert "--isolated" in script
    project, mark = hostile
    for name in IN_ISOLATION:
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(RUNS.format(str(mark)))
    command = [sys.executable, "-I", "-m", "gsws", "validate"]
    done = subprocess.run(command, cwd=project, env=environment(PYTHONPATH="."), capture_output=True, timeout=60)
    assert done.returncode in (0, 1), done.stderr
    assert not mark.exists(), mark.read_text()


def test_a_plugin_that_lies_in_the_checkout_is_none(hostile):
    """Only what is installed is a plugin."""
    project, mark = hostile
    info = project / "evil-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[gsws.plugins]\nticker = evil:plugin\n")
    (project / "evil.py").write_text(RUNS.format(str(mark)))
    (project / "eventsources/t.yaml").write_text("type: ticker\n")
    ran = gsws("validate", cwd=project)
    assert "GS601" in ran.out
    assert not mark.exists()


def test_the_installer_runs_nothing_of_the_project(hostile):
    """Neither a `pip` that lies there, nor an index that a `uv.toml` or `pip.conf` there names."""
    project, mark = hostile
    for name in ("json.py", "secrets.py"):
        (project / name).unlink()
    (project / "uv.toml").write_text('index-url = "http://127.0.0.1:9/simple"\n')
    (project / "pip.conf").write_text("[global]\nindex-url = http://127.0.0.1:9/simple\n")
    relative = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": "pip.conf", "PYTHONPATH": "."}
    ran = gsws("plugin", "add", "not-there-at-all", cwd=project, **relative)
    assert ran.code == 4, ran
    assert "127.0.0.1:9" not in ran.err
    assert not mark.exists(), mark.read_text()


def documented() -> list[str]:
    """The patterns of the page's table."""
    page = (DOCS / "how-to" / "validate-in-ci.md").read_text("utf-8")
    table = page.partition("| it reads |")[2].partition("\n\n")[0]
    return [pattern for row in table.splitlines()[2:] for pattern in re.findall(r"`([^`]+)`", row.split("|")[1])]


def matches(path: str, pattern: str) -> bool:
    inner = re.escape(pattern).replace(r"\*\*/", "(?:.+/)?").replace(r"\*", "[^/]*").replace("yaml", "ya?ml")
    return re.fullmatch(inner, path) is not None


@pytest.mark.parametrize("base", ["", "src/"])
def test_the_page_lists_what_is_read(starter, base):
    """Every file that is opened is on the list, everything on the list is opened, and nothing else happens."""
    if base:
        (starter / base).mkdir()
        for name in ("events", "eventsources", "functions"):
            (starter / name).rename(starter / base / name)
    more = {
        f"{base}definitions/a/b.yaml": "A: {type: object}\n",
        f"{base}mappings/m.yaml": "a: 1\n",
        f"{base}datasources/d.yaml": "fn: greet\n",
        "config/default.yaml": "a: 1\n",
        ".env": "A=1\n",
        ".env.example": "A=\n",
        f"{base}helper.py": "x = 1\n",
        f"{base}loose.yaml": "a: 1\n",
        "public/secret.html": "x",
        "notes.txt": "x",
        "node_modules/a/index.yaml": "a: 1\n",
        "tests/test_x.py": "x",
        ".hidden.yaml": "a: 1\n",
    }
    for name, text in more.items():
        (starter / name).parent.mkdir(parents=True, exist_ok=True)
        (starter / name).write_text(text)
    greet = starter / base / "functions/greet.py"
    greet.write_text(f"import helper\n{greet.read_text()}")
    for words in (("init", "-q"), ("add", ".")):
        subprocess.run(["git", *words], cwd=starter, check=True, timeout=20)
    for attempt in (1, 2):  # the second has a cache to read
        command = [sys.executable, "-c", WATCH, "validate"]
        done = subprocess.run(command, cwd=starter, env=environment(), capture_output=True, text=True, timeout=60)
        assert "SEEN" in done.stderr, done.stderr
        opened: dict[str, bool] = {}
        for event, first, mode in json.loads(done.stderr.partition("SEEN")[2]):
            assert event not in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"), first
            assert not event.startswith("socket."), first
            path = Path(starter, first)
            if first.startswith("<") or first.isdigit() or not path.is_relative_to(starter) or path.is_dir():
                continue
            shown = path.relative_to(starter).as_posix().removeprefix(base)
            assert event != "exec", f"{shown} was run"
            opened[shown] = event != "open" or bool(set("wa+") & set(mode)) or opened.get(shown, False)
        assert [path for path in opened if not any(matches(path, one) for one in documented())] == []
        assert all(path.startswith(".gsws/cache/") for path, writes in opened.items() if writes)
        if attempt == 2:
            assert [one for one in documented() if not any(matches(path, one) for path in opened)] == []


def test_a_project_of_another_user_above_is_not_loaded(starter, monkeypatch):
    """As git has it: who owns the folder decides what is found; whoever stands in it has chosen it."""
    inner = starter / "docs"
    inner.mkdir()
    assert find_root(inner) == starter.resolve()
    monkeypatch.setattr(os, "geteuid", lambda: starter.stat().st_uid + 1)
    assert (find_root(inner), foreign_root(inner)) == (None, starter.resolve())
    assert find_root(starter) == starter.resolve()
    ran = inside("validate", cwd=inner)
    assert (ran.code, "belongs to another user" in ran.out) == (1, True), ran
    assert "GSWS_SAFE_DIRECTORY" in inside("validate", "--json", cwd=inner).json["diagnostics"][0]["help"]
    assert "belongs to another user" in inside("events", cwd=inner).err
    assert "belongs to another user" in inside("serve", cwd=inner).err


@pytest.mark.parametrize("trusted", ["{}", "*", "/nowhere:{}", "/nowhere", "", "{}/docs"])
def test_a_folder_may_be_trusted(starter, monkeypatch, trusted):
    inner = starter / "docs"
    inner.mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: starter.stat().st_uid + 1)
    monkeypatch.setenv("GSWS_SAFE_DIRECTORY", trusted.format(starter))
    assert (find_root(inner) is not None) == (trusted in ("{}", "*", "/nowhere:{}"))


def test_sudo_trusts_who_called_it(starter, monkeypatch):
    inner = starter / "docs"
    inner.mkdir()
    monkeypatch.setattr("gsws.project.files.discovery.owner_of", lambda path: 4321)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert find_root(inner) is None
    monkeypatch.setenv("SUDO_UID", "4321")
    assert find_root(inner) == starter.resolve()
    monkeypatch.setattr(os, "geteuid", lambda: 77)
    assert find_root(inner) is None


def test_one_file_of_another_user_is_enough(starter, monkeypatch):
    """A stranger's gsws.yaml in a shared folder that is one's own."""
    inner = starter / "docs"
    inner.mkdir()
    mine = os.geteuid()
    monkeypatch.setattr("gsws.project.files.discovery.owner_of", lambda path: mine + (path.name == "gsws.yaml"))
    assert find_root(inner) is None


def test_projects_below_are_named(starter, tmp_path):
    """In the root of a repository of several projects."""
    (tmp_path / "services").mkdir()
    starter.rename(tmp_path / "services/chat")
    assert inside("init", "services/voice", cwd=tmp_path).code == 0
    found = inside("validate", "--json", cwd=tmp_path).json["diagnostics"][0]
    assert found["code"] == "GS001"
    assert "`services/chat`, `services/voice`" in found["help"]
    assert "services/chat" in inside("events", cwd=tmp_path).err
