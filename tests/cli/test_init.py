"""`gsws init`: a whole project or nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from tests.cli.support import environment, inside


def everything(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() or path.is_symlink()
    )


@pytest.mark.parametrize("template", ["starter", "bare"])
def test_project_is_valid(tmp_path, template):
    """What `init` writes passes `validate` without an error or a warning."""
    made = inside("init", "app", "--template", template, cwd=tmp_path)
    assert made.code == 0, made
    checked = inside("validate", cwd=tmp_path / "app")
    assert (checked.code, checked.out) == (0, ""), checked


def test_output(tmp_path):
    ran = inside("init", "my app", "--template", "bare", cwd=tmp_path)
    assert ran.out == (
        "my app/\n  .github/\n    workflows/\n      gsws.yaml\n  .gsws/\n    schemas/\n      datasource.schema.json\n"
        "      definitions.schema.json\n      event.schema.json\n      eventsource.schema.json\n"
        "      gsws.schema.json\n"
        "  events/\n    hello.yaml\n  eventsources/\n    websocket.yaml\n  functions/\n    hello.py\n"
        "  .env.example\n  .gitignore\n  README.md\n  gsws.yaml\n  pyproject.toml\n"
    )
    assert ran.err == (
        "made my-app from the template bare\n\n\nnext:\n  cd 'my app'\n  gsws serve\n"
        "  gsws call websocket.hello name=Ann   # in another terminal\n"
    )


def test_json(tmp_path):
    ran = inside("init", "app", "--json", cwd=tmp_path)
    assert ran.err == ""
    assert ran.json["ok"] is True
    assert ran.json["directory"] == str(tmp_path / "app")
    assert ran.json["files"] == everything(tmp_path / "app")
    assert ran.json["next"] == ["cd app", "gsws serve"]


def test_here(tmp_path):
    ran = inside("init", ".", cwd=tmp_path)
    assert ran.code == 0
    assert "\nnext:\n  gsws serve\n" in ran.err
    assert (tmp_path / "gsws.yaml").is_file()


def test_without_a_directory_means_here(tmp_path):
    assert inside("init", cwd=tmp_path).code == 0
    assert (tmp_path / "gsws.yaml").is_file()


def test_keeps_what_is_there(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / "notes.md").write_text("mine")
    assert inside("init", ".", cwd=tmp_path).code == 0
    assert (tmp_path / "notes.md").read_text() == "mine"


def test_refuses_to_overwrite_and_names_the_files(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions/greet.py").write_text("mine")
    ran = inside("init", ".", cwd=tmp_path)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("error: not overwriting what is there: `functions/greet.py`\n")
    assert everything(tmp_path) == ["README.md", "functions/greet.py"]
    again = inside("init", ".", "--json", cwd=tmp_path)
    assert again.code == 1
    assert again.json["in_the_way"] == ["functions/greet.py"]


def test_twice(starter):
    before = {path: path.read_bytes() for path in starter.rglob("*") if path.is_file()}
    assert inside("init", "app", cwd=starter.parent).code == 1
    assert before == {path: path.read_bytes() for path in starter.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "name",
    [
        "-rf",
        "--",
        "..",
        "../x",
        "a/../b",
        "a\nb",
        'a"b',
        "a|b",
        "con",
        "nul.txt",
        "x" * 255,
        " ",
        "a ",
        "",
        "$HOME",
        "`id`",
        "a\x1b[2Jb",
    ],
)
def test_names_that_do_harm_write_nothing(tmp_path, name):
    here = tmp_path / "in"
    here.mkdir()
    ran = inside("init", "--", name, cwd=here)
    assert (ran.code, ran.out) == (2, ""), ran
    assert ran.err.startswith("error: ")
    assert "\x1b" not in ran.err
    assert everything(tmp_path) == []
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "project"),
    [("my app", "my-app"), ("it's", "it-s"), ("class", "class"), ("日本", "app"), ("{{version}}", "version")],
)
def test_odd_names_are_normalised(tmp_path, name, project):
    assert inside("init", name, cwd=tmp_path).code == 0
    assert tomllib.loads((tmp_path / name / "pyproject.toml").read_text())["project"]["name"] == project
    assert inside("validate", cwd=tmp_path / name).code == 0


def test_nested_directory_is_made(tmp_path):
    assert inside("init", "deep/er/app", cwd=tmp_path).code == 0
    assert (tmp_path / "deep/er/app/gsws.yaml").is_file()


def test_symlinks_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "link").symlink_to(outside)
    assert inside("init", "link", cwd=tmp_path).code == 1
    app = tmp_path / "app"
    app.mkdir()
    (app / "functions").symlink_to(outside)
    (app / "gsws.yaml").symlink_to(outside / "gsws.yaml")
    ran = inside("init", "app", cwd=tmp_path)
    assert ran.code == 1
    assert "`functions`" in ran.err
    assert "`gsws.yaml`" in ran.err
    assert list(outside.iterdir()) == []


def test_a_file_in_the_place_of_the_directory(tmp_path):
    (tmp_path / "app").write_text("mine")
    ran = inside("init", "app", cwd=tmp_path)
    assert ran.code == 1
    assert "is no directory" in ran.err
    assert (tmp_path / "app").read_text() == "mine"


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc, where nobody may write")
def test_no_permission(tmp_path):
    ran = inside("init", "/proc/app", cwd=tmp_path)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("error: cannot write to `/proc/app`: ")


@pytest.mark.parametrize("signal_sent", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_leaves_nothing(tmp_path, signal_sent):
    """An interrupt in the midst of writing leaves no file behind."""
    code = (
        "import sys, time\nfrom gsws.scaffold import files\nplain = files._fill\n"
        "def slow(stage, content):\n    plain(stage, content)\n    print('half', flush=True)\n    time.sleep(30)\n"
        "files._fill = slow\nfrom gsws.cli.entry import main\nsys.exit(main(['init', 'app']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "half\n"
    time.sleep(0.1)
    process.send_signal(signal_sent)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 128 + signal_sent
    assert err == ""
    assert list(tmp_path.iterdir()) == []


def test_two_at_once(tmp_path):
    """Of two that race for one directory, one makes it whole and the other says so."""
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "gsws", "init", "app"],
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(2)
    ]
    assert sorted(process.wait(timeout=30) for process in both) == [0, 1]
    assert [path.name for path in tmp_path.iterdir()] == ["app"]


def test_a_template_names_what_must_be_installed_first(tmp_path, monkeypatch):
    monkeypatch.setattr("gsws.scaffold.templates.find_spec", lambda name: None)
    ran = inside("init", "app", "--template", "agent", "--json", cwd=tmp_path)
    assert ran.json["next"] == ['pip install "gsws[ai]"', "cd app", "gsws serve"]
    assert inside("init", "bare", "--template", "bare", "--json", cwd=tmp_path).json["next"] == [
        "cd bare",
        "gsws serve",
    ]


def test_a_fresh_repository_keeps_what_it_has(tmp_path):
    """README and .gitignore come with a new repository; both stay as they are, and it is said."""
    (tmp_path / "README.md").write_text("mine\n")
    (tmp_path / ".gitignore").write_text("build/\n")
    (tmp_path / ".git").mkdir()
    ran = inside("init", ".", cwd=tmp_path)
    assert ran.code == 0, ran
    assert (tmp_path / "README.md").read_text() == "mine\n"
    assert (tmp_path / ".gitignore").read_text() == "build/\n"
    assert "kept README.md" in ran.err
    assert "`.env`" in ran.err
    assert (tmp_path / ".github/workflows/gsws.yaml").is_file()


@pytest.mark.parametrize("taken", [False, True])
def test_the_workflow_stands_where_github_looks(tmp_path, taken):
    """In a folder of a repository the workflow is at its top, and works in the folder."""
    (tmp_path / ".git").mkdir()
    if taken:
        (tmp_path / ".github/workflows").mkdir(parents=True)
        (tmp_path / ".github/workflows/gsws.yaml").write_text("mine\n")
    ran = inside("init", "services/chat", cwd=tmp_path)
    assert ran.code == 0, ran
    assert not (tmp_path / "services/chat/.github").exists()
    written = tmp_path / ".github/workflows" / ("gsws-chat.yaml" if taken else "gsws.yaml")
    assert '        working-directory: "services/chat"\n' in written.read_text()
    assert not taken or (tmp_path / ".github/workflows/gsws.yaml").read_text() == "mine\n"
    assert inside("validate", cwd=tmp_path / "services/chat").code == 0
