"""`pyproject.toml` is edited in place: comments stay, nothing is half written."""

from __future__ import annotations

import tomllib

import pytest

from gsws.errors import PluginError
from gsws.plugins.install import Requirements


def edited(tmp_path, text: str) -> tuple[bool, str]:
    path = tmp_path / "pyproject.toml"
    path.write_bytes(text.encode())
    changed = Requirements(path).add("gsws-plugin-x", "0.3")
    after = path.read_bytes().decode()
    tomllib.loads(after)
    return changed, after


def test_comments_and_layout_are_kept(tmp_path):
    before = '# top\n[project]\nname = "a"  # mine\n'
    before += 'dependencies = [\n    "gsws>=0.1",  # the runtime\n]\n\n[tool.x]  # t\ny = 1\n'
    changed, after = edited(tmp_path, before)
    assert changed
    assert after == before.replace("runtime\n]", 'runtime\n    "gsws-plugin-x>=0.3",\n]')


def test_a_file_without_dependencies_gets_them(tmp_path):
    changed, after = edited(tmp_path, '[project]\nname = "a"\n')
    assert changed
    assert tomllib.loads(after)["project"]["dependencies"] == ["gsws-plugin-x>=0.3"]


@pytest.mark.parametrize(
    "listed", ["gsws-plugin-x", "GSWS_plugin.x>=0.1", "gsws-plugin-x [extra] ; python_version > '3'"]
)
def test_what_is_listed_is_left_alone(tmp_path, listed):
    before = f'[project]\nname = "a"\ndependencies = ["{listed}"]\n'
    assert edited(tmp_path, before) == (False, before)


@pytest.mark.parametrize(
    "text",
    ["", "[tool.poetry]\nname = 'a'\n", '[project]\nname = "a"\ndynamic = ["dependencies"]\n', 'project = "odd"\n'],
)
def test_files_that_list_elsewhere_are_left_alone(tmp_path, text):
    assert edited(tmp_path, text) == (False, text)


def test_line_ends_of_windows_stay(tmp_path):
    _, after = edited(tmp_path, '[project]\r\nname = "a"\r\ndependencies = [\r\n    "b",\r\n]\r\n')
    assert after.count("\n") == after.count("\r\n")


@pytest.mark.parametrize("raw", [b"[project", b"\xff\xfe", b"a = 1\na = 2\n"])
def test_what_is_no_toml_is_said_so(tmp_path, raw):
    path = tmp_path / "pyproject.toml"
    path.write_bytes(raw)
    with pytest.raises(PluginError, match=r"cannot read pyproject\.toml"):
        Requirements(path)
    assert path.read_bytes() == raw
