"""Where a project begins, and which files belong to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gsws.project import find_root
from gsws.project.files.discovery import list_files


def folders(root: Path, *names: str) -> None:
    for name in names:
        (root / name).mkdir(parents=True, exist_ok=True)


def test_gsws_yaml_marks_a_root(tmp_path):
    (tmp_path / "app/functions/a/b").mkdir(parents=True)
    (tmp_path / "app/gsws.yaml").write_text("name: x\n")

    assert find_root(tmp_path / "app/functions/a/b") == (tmp_path / "app").resolve()
    assert find_root(tmp_path / "app/gsws.yaml") == (tmp_path / "app").resolve()


def test_both_folders_mark_a_root_and_one_alone_does_not(tmp_path):
    folders(tmp_path, "app/events", "app/eventsources", "half/events")

    assert find_root(tmp_path / "app/events") == (tmp_path / "app").resolve()
    assert find_root(tmp_path / "half") is None


def test_from_inside_src_the_root_is_above(tmp_path):
    """The settings and the `.env` of `my-app/src` are in `my-app`."""
    folders(tmp_path, "app/src/events", "app/src/eventsources", "app/src/functions")

    assert find_root(tmp_path / "app/src/functions") == (tmp_path / "app").resolve()
    assert find_root(tmp_path / "app") == (tmp_path / "app").resolve()


def test_the_nearest_project_wins(tmp_path):
    folders(tmp_path, "outer/events", "outer/eventsources", "outer/inner/events", "outer/inner/eventsources")

    assert find_root(tmp_path / "outer/inner/events") == (tmp_path / "outer/inner").resolve()


def test_the_search_stops_below_the_home_folder(tmp_path, monkeypatch):
    """A stray `~/gsws.yaml` does not make every folder of the user a project."""
    folders(tmp_path, "home/work")
    (tmp_path / "home/gsws.yaml").write_text("name: x\n")
    (tmp_path / "gsws.yaml").write_text("name: x\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    assert find_root(tmp_path / "home/work") is None
    assert find_root(tmp_path / "home") == (tmp_path / "home").resolve()


def test_no_project_anywhere(tmp_path):
    assert find_root(tmp_path) is None
    assert find_root(tmp_path / "not/there") is None
    assert find_root(Path("/")) is None


def listed(root: Path, folder: str = "events") -> list[str]:
    return [entry.shown for entry in list_files(root.resolve(), root.resolve() / folder, (".yaml", ".yml")).files]


def test_hidden_and_foreign_files_are_passed_by(tmp_path):
    folders(tmp_path, "events/sub", "events/.git", "events/__pycache__")
    for name in ("a.yaml", "sub/b.yml", ".#a.yaml", "a.yaml~", ".git/c.yaml", "__pycache__/d.yaml", "e.json"):
        (tmp_path / "events" / name).write_text("")

    assert listed(tmp_path) == ["events/a.yaml", "events/sub/b.yml"]


def test_a_loop_of_links_ends(tmp_path):
    folders(tmp_path, "events/sub")
    (tmp_path / "events/a.yaml").write_text("")
    os.symlink(tmp_path / "events", tmp_path / "events/sub/loop")
    os.symlink(tmp_path / "events/self.yaml", tmp_path / "events/self.yaml")

    assert listed(tmp_path) == ["events/a.yaml"]


def test_a_link_to_the_project_itself_does_not_make_its_other_files_events(tmp_path):
    """`events/loop -> ..` is a loop: `config/default.yaml` is not an event file by that way."""
    folders(tmp_path, "events/sub", "config")
    (tmp_path / "events/a.yaml").write_text("")
    (tmp_path / "config/default.yaml").write_text("")
    os.symlink("..", tmp_path / "events/loop")
    os.symlink("../..", tmp_path / "events/sub/loop")

    assert listed(tmp_path) == ["events/a.yaml"]


def test_a_link_inside_the_project_is_followed_and_one_outside_is_told(tmp_path):
    folders(tmp_path, "app/events", "app/shared", "elsewhere")
    (tmp_path / "app/shared/s.yaml").write_text("")
    (tmp_path / "elsewhere/x.yaml").write_text("")
    os.symlink(tmp_path / "app/shared", tmp_path / "app/events/in")
    os.symlink(tmp_path / "elsewhere", tmp_path / "app/events/out")
    os.symlink(tmp_path / "elsewhere/x.yaml", tmp_path / "app/events/x.yaml")
    os.symlink(tmp_path / "nowhere", tmp_path / "app/events/gone.yaml")
    root = (tmp_path / "app").resolve()
    listing = list_files(root, root / "events", (".yaml",))

    assert [entry.shown for entry in listing.files] == ["events/in/s.yaml"]
    assert sorted(shown for shown, _, _ in listing.outside) == ["events/out", "events/x.yaml"]
    assert listing.odd == [("events/gone.yaml", "a link that leads nowhere")]


def test_a_file_where_a_folder_is_expected_is_told(tmp_path):
    (tmp_path / "events").write_text("")

    assert list_files(tmp_path.resolve(), tmp_path.resolve() / "events", (".yaml",)).odd == [("events", "no folder")]


def test_a_folder_that_may_not_be_listed_is_told(tmp_path, monkeypatch):
    """Its events would be missing without a word."""
    folders(tmp_path, "events/secret")
    (tmp_path / "events/a.yaml").write_text("")
    scandir = os.scandir

    def refusing(folder):
        if str(folder).endswith("secret"):
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    listing = list_files(tmp_path.resolve(), tmp_path.resolve() / "events", (".yaml",))

    assert [entry.shown for entry in listing.files] == ["events/a.yaml"]
    assert listing.odd == [("events/secret", "permission denied")]


def test_a_pipe_is_not_read(tmp_path):
    """Opening it would wait for ever."""
    folders(tmp_path, "events")
    os.mkfifo(tmp_path / "events/pipe.yaml")

    assert list_files(tmp_path.resolve(), tmp_path.resolve() / "events", (".yaml",)).odd == [
        ("events/pipe.yaml", "no regular file")
    ]


def test_a_thousand_files_are_listed(tmp_path):
    folders(tmp_path, "events")
    for number in range(1000):
        (tmp_path / f"events/{number}.yaml").write_text("")

    assert len(listed(tmp_path)) == 1000


@pytest.mark.parametrize("name", ["missing", "file"])
def test_a_folder_that_is_none_has_no_files(tmp_path, name):
    (tmp_path / "file").write_text("")

    assert listed(tmp_path, name) == []
