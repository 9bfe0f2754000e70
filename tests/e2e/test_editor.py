"""A project of `gsws init` in an editor, through the YAML language server that editors run, without a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.support import inside
from tests.e2e.available import missing, node_modules
from tests.e2e.language_server import LanguageServer

pytestmark = pytest.mark.node
EVENT = '# yaml-language-server: $schema=../.gsws/schemas/event.schema.json\n"websocket.a":\n  fn: greet\n'
SOURCE = "# yaml-language-server: $schema=../.gsws/schemas/eventsource.schema.json\n"


@pytest.fixture(scope="module")
def app(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("editor")
    assert inside("init", "app", cwd=folder).code == 0
    return folder / "app"


@pytest.fixture(scope="module")
def editor(app: Path) -> Iterator[LanguageServer]:
    modules = node_modules()
    if not (modules / "yaml-language-server").is_dir():
        missing("the package yaml-language-server is not installed")
    with LanguageServer(modules, app) as server:
        yield server


def test_a_new_project_has_nothing_underlined(editor: LanguageServer, app: Path) -> None:
    files = [*app.glob("events/*.yaml"), *app.glob("eventsources/*.yaml"), app / "gsws.yaml"]
    assert len(files) == 4
    for path in files:
        name = path.relative_to(app).as_posix()
        assert editor.findings(name, path.read_text("utf-8")) == [], name


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("events/a.yaml", f"{EVENT}  sumary: x\n", "4: Property sumary is not allowed."),
        ("events/a.yaml", f"{EVENT}  timeout: soon\n", "4: expected seconds, or a duration such as 30s"),
        ("events/a.yaml", f"{EVENT}  payload:\n    tpye: object\n", "5: Property tpye is not allowed."),
        ("eventsources/a.yaml", f"{SOURCE}type: websocket\nprot: 1\n", "3: Property prot is not allowed."),
        ("eventsources/a.yaml", f"{SOURCE}port: 1\n", '2: Missing property "type".'),
    ],
)
def test_mistakes_show_while_typing(editor: LanguageServer, path: str, text: str, expected: str) -> None:
    assert editor.findings(path, text) == [expected]


def test_lookups_are_no_mistakes(editor: LanguageServer) -> None:
    assert editor.findings("eventsources/a.yaml", f"{SOURCE}type: websocket\nport: ${{PORT:-8000}}\n") == []


@pytest.mark.parametrize(
    ("path", "text", "line", "column", "expected"),
    [
        ("events/a.yaml", f"{EVENT}  s\n", 3, 3, {"payload", "summary", "concurrency"}),
        ("events/a.yaml", f"{EVENT}  concurrency: \n", 3, 15, {"enqueue", "parallel", "reject", "interrupt"}),
        ("events/a.yaml", f"{EVENT}  payload:\n    p\n", 4, 5, {"properties", "required", "maxLength"}),
        ("eventsources/a.yaml", f"{SOURCE}type: \n", 1, 6, {"websocket"}),
        ("eventsources/a.yaml", f"{SOURCE}type: websocket\np\n", 2, 1, {"port", "origins", "limits"}),
    ],
)
def test_keys_and_values_complete(
    editor: LanguageServer, path: str, text: str, line: int, column: int, expected: set[str]
) -> None:
    assert expected <= set(editor.completions(path, text, line, column))
