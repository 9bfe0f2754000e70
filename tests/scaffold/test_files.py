"""Either all files of a set are written or none, and nothing that exists is touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gsws.scaffold import files
from gsws.scaffold.files import Conflict, write_files

SET = {"a.txt": b"a", "sub/b.txt": b"b", "sub/deep/c.txt": b"c"}


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_new_folder(tmp_path):
    write_files(tmp_path / "x" / "app", SET)
    assert everything(tmp_path / "x" / "app") == ["a.txt", "sub", "sub/b.txt", "sub/deep", "sub/deep/c.txt"]
    assert everything(tmp_path / "x") == ["app", *(f"app/{name}" for name in everything(tmp_path / "x" / "app"))]


def test_new_folder_has_the_usual_permissions(tmp_path):
    mask = os.umask(0o022)
    try:
        write_files(tmp_path / "app", SET)
    finally:
        os.umask(mask)
    assert (tmp_path / "app").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "app/a.txt").stat().st_mode & 0o777 == 0o644


def test_existing_folder_keeps_what_it_has(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/mine").write_text("mine")
    write_files(tmp_path, SET)
    assert everything(tmp_path) == ["a.txt", "sub", "sub/b.txt", "sub/deep", "sub/deep/c.txt", "sub/mine"]


def test_conflicts_are_named_and_nothing_is_written(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/b.txt").write_text("mine")
    with pytest.raises(Conflict) as conflict:
        write_files(tmp_path, SET)
    assert conflict.value.paths == ("sub/b.txt",)
    assert everything(tmp_path) == ["sub", "sub/b.txt"]
    assert (tmp_path / "sub/b.txt").read_text() == "mine"


def test_symlinks_are_not_followed(tmp_path):
    """Neither a symlinked folder nor a dangling link in a file's place leads anywhere."""
    outside = tmp_path / "outside"
    outside.mkdir()
    app = tmp_path / "app"
    app.mkdir()
    (app / "sub").symlink_to(outside)
    (app / "a.txt").symlink_to(tmp_path / "not-there")
    with pytest.raises(Conflict) as conflict:
        write_files(app, SET)
    assert conflict.value.paths == ("a.txt", "sub")
    assert everything(outside) == []
    assert not (tmp_path / "not-there").exists()


def test_a_file_in_the_place_of_a_folder(tmp_path):
    (tmp_path / "sub").write_text("a file")
    with pytest.raises(Conflict) as conflict:
        write_files(tmp_path, SET)
    assert conflict.value.paths == ("sub",)


@pytest.mark.parametrize("target", ["app", "deep/er/app"])
@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit, OSError])
def test_interrupt_leaves_no_trace_of_a_new_folder(tmp_path, monkeypatch, interrupt, target):
    def fail(stage, content):
        (stage / "half").write_text("half")
        raise interrupt

    monkeypatch.setattr(files, "_fill", fail)
    with pytest.raises(interrupt):
        write_files(tmp_path / target, SET)
    assert everything(tmp_path) == []


@pytest.mark.parametrize("after", [0, 1, 2])
def test_interrupt_leaves_no_trace_in_an_existing_folder(tmp_path, monkeypatch, after):
    (tmp_path / "mine").write_text("mine")
    place, placed = files._place, []

    def fail(source, goal):
        if len(placed) == after:
            raise KeyboardInterrupt
        place(source, goal)
        placed.append(goal)

    monkeypatch.setattr(files, "_place", fail)
    with pytest.raises(KeyboardInterrupt):
        write_files(tmp_path, SET)
    assert everything(tmp_path) == ["mine"]


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path, monkeypatch):
    fill = files._fill

    def race(stage, content):
        fill(stage, content)
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub/b.txt").write_text("theirs")

    monkeypatch.setattr(files, "_fill", race)
    with pytest.raises(Conflict):
        write_files(tmp_path, SET)
    assert (tmp_path / "sub/b.txt").read_text() == "theirs"
    assert everything(tmp_path) == ["sub", "sub/b.txt"]


def test_without_hard_links(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(files.os, "link", refuse)
    write_files(tmp_path, SET)
    assert everything(tmp_path) == ["a.txt", "sub", "sub/b.txt", "sub/deep", "sub/deep/c.txt"]
