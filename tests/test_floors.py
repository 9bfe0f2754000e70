"""
The floors of the architecture: a module imports only from floors below its own.

Imports are read by `ast`, wherever they stand: in a function, under `TYPE_CHECKING`, relative, or as the
literal argument of `import_module`.
A new folder or top-level module must be given a floor here before it may exist.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "gsws"
ADVICE = f"give it one in {Path(__file__).name}"

FLOORS: Mapping[str, int] = {
    "__about__": 0,
    "defaults": 0,
    "errors": 0,
    "types": 0,
    "text": 0,
    "diagnostics": 1,
    "yaml": 1,
    "schema": 2,
    "project": 2,
    "protocol": 2,
    "routing": 3,
    "client": 3,
    "ai": 3,
    "codegen": 3,
    "scaffold": 3,
    "plugins": 4,
    "eventsources": 4,
    "datasources": 4,
    "runtime": 5,
    "control": 6,
    "reload": 6,
    "observability": 6,
    "devtools": 7,
    "cli": 8,
    "testing": 8,
    "__init__": 9,  # the public names; nothing inside the package goes through them
    "__main__": 9,
}

# The same inside of `runtime`: identity, requests, streams and rooms know nothing of each other.
RUNTIME: Mapping[str, int] = {
    "__init__": 0,
    "access": 0,
    "counters": 0,
    "rate": 0,
    "shares": 0,
    "summed": 0,
    "threads": 0,
    "wheel": 0,
    "transport": 1,
    "identity": 2,
    "requests": 2,
    "rooms": 2,
    "streams": 2,
    "sessions": 3,
    "dispatch": 4,
    "sources": 5,
    "service": 6,
}
# And of `ai`: a turn stands above the memory of threads, that above models, these above what searches.
AI: Mapping[str, int] = {
    "content": 0,
    "google": 0,
    "budget": 1,
    "retrieval": 1,
    "models": 2,
    "threads": 3,
    "turn": 4,
}
INNER: Mapping[str, Mapping[str, int]] = {"runtime": RUNTIME, "ai": AI}
GROUND = 0

# Siblings of one floor that may nevertheless import: the importer first.
SIBLINGS = {
    ("errors", "types"),
    ("yaml", "diagnostics"),
    ("project", "schema"),
    ("eventsources", "plugins"),
    ("datasources", "plugins"),
    ("cli", "testing"),  # `gsws fake-gemini` runs the stand-in that tests use
}

# Libraries that one place only may know: top-level name -> prefixes of the modules that may import it.
CONFINED: Mapping[str, tuple[str, ...]] = {
    "websockets": ("gsws.runtime.transport", "gsws.client", "gsws.testing"),  # the last two: clients
    "jsonschema_rs": ("gsws.schema",),
    "jsonschema": ("gsws.schema",),
    "ruamel": ("gsws.yaml", "gsws.scaffold", "gsws.cli"),  # reading; and edits that keep comments
    "typer": ("gsws.cli",),
    "jinja2": ("gsws.scaffold", "gsws.codegen"),
    "watchfiles": ("gsws.reload",),
    "langgraph": ("gsws.ai",),
    "langchain_google_genai": ("gsws.ai",),
    "langchain_core": ("gsws.ai",),
}

# Rooms that may know no more of the package than these.
ONLY: Mapping[str, frozenset[str]] = {
    "client": frozenset(
        {"defaults", "errors", "types", "text", "protocol"}
    ),  # of a program that only talks to a server
    "eventsources": frozenset({"errors", "types", "plugins", "project"}),  # the contract, as any plugin's
}

# Rooms below that are not known either: a type of source is found by its entry point, and runs by the contract.
UNKNOWN = {("runtime", "eventsources"), ("runtime", "datasources")}

# Folders that must stay free of a library or an idea.
FORBIDDEN: Mapping[str, frozenset[str]] = {
    "protocol": frozenset({"asyncio", "socket", "ssl", "threading", "ruamel", "websockets", "uvloop"}),
    "text": frozenset({"asyncio"}),
    "yaml": frozenset({"asyncio"}),
    "diagnostics": frozenset({"asyncio"}),
}


def modules(package: Path) -> Iterator[tuple[str, Path]]:
    """Each module of a package as its dotted name and its file."""
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        if "templates" in parts:  # files of the projects that `init` writes, not of this package
            continue
        yield ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts), path


def imports(name: str, path: Path) -> Iterator[tuple[str, int]]:
    """Every module that a file imports, as an absolute dotted name with its line, names of `from` too."""
    within = name.split(".") if path.stem == "__init__" else name.split(".")[:-1]
    if name.endswith(".__init__"):
        within = name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = within[: len(within) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield f"{origin}.{alias.name}", node.lineno
        elif isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            argument = node.args[0]
            if called in {"import_module", "__import__"} and isinstance(argument, ast.Constant):
                yield str(argument.value), node.lineno


def room(dotted: str) -> str:
    """The folder or top-level module that a dotted name lies in; `__init__` for the package's own names."""
    parts = dotted.split(".")
    if len(parts) < 2 or (len(parts) == 2 and parts[1] not in FLOORS and not (PACKAGE / parts[1]).is_dir()):
        return "__init__"
    return parts[1]


def violations(package: Path) -> list[str]:
    """What breaks the floors in a package, one sentence each."""
    found = []
    for name, path in modules(package):
        here = room(name)
        where = f"{path.relative_to(package.parent)}"
        if here not in FLOORS or (len(name.split(".")) > 1 and name.split(".")[1] not in FLOORS):
            found.append(f"{where}: `{name.split('.')[1]}` has no floor; {ADVICE}")
            continue
        for target, line in imports(name, path):
            top = target.partition(".")[0]
            if top == "gsws":
                found += _floor_violation(f"{where}:{line}", here, target)
                found += _inner_violation(f"{where}:{line}", name, target)
            elif top in FORBIDDEN.get(here, ()):
                found.append(f"{where}:{line}: `{here}` must not import `{top}`")
            elif top in CONFINED and not name.startswith(CONFINED[top]):
                found.append(f"{where}:{line}: only {', '.join(CONFINED[top])} may import `{top}`")
    return found


def _floor_violation(where: str, here: str, target: str) -> list[str]:
    there = room(target)
    if there not in FLOORS:
        return [f"{where}: `{there}` has no floor; {ADVICE}"]
    if here in ONLY and there not in {here, *ONLY[here]}:
        return [f"{where}: `{here}` imports only {', '.join(sorted(ONLY[here]))}, not `{there}`"]
    if (here, there) in UNKNOWN:
        return [f"{where}: `{here}` must not know `{there}`"]
    if here == there or FLOORS[there] < FLOORS[here] or (here, there) in SIBLINGS:
        return []
    relation = "a sibling of" if FLOORS[there] == FLOORS[here] else "above"
    floors = f"`{here}` (floor {FLOORS[here]}) imports `{there}` (floor {FLOORS[there]})"
    return [f"{where}: {floors}, {relation} it"]


def _inner_violation(where: str, name: str, target: str) -> list[str]:
    """The same between the packages of a room; its single modules are the ground, and may know each other."""
    outer = name.split(".")[1]
    if outer not in INNER or not (name.startswith(f"gsws.{outer}.") and target.startswith(f"gsws.{outer}.")):
        return []
    floors = INNER[outer]
    here, there = name.split(".")[2], target.split(".")[2]
    if unknown := {here, there} - floors.keys():
        return [f"{where}: `{outer}.{min(unknown)}` has no floor; {ADVICE}"]
    if here == there or floors[there] < floors[here] or floors[here] == floors[there] == GROUND:
        return []
    relation = "a sibling of" if floors[there] == floors[here] else "above"
    return [f"{where}: `{outer}.{here}` imports `{outer}.{there}`, {relation} it"]


def test_every_module_imports_only_from_floors_below() -> None:
    """No module of gsws imports from above its floor, from a sibling, or a library that belongs elsewhere."""
    assert violations(PACKAGE) == []


def test_every_folder_has_a_floor() -> None:
    """A folder of the package, also one that holds no Python yet, is named in the table of floors."""
    entries = {path.stem for path in PACKAGE.iterdir() if path.is_dir() or path.suffix == ".py"} - {"__pycache__"}

    assert entries <= set(FLOORS), f"no floor for {sorted(entries - set(FLOORS))}"


def test_the_package_is_really_read() -> None:
    """The check sees the whole package: an empty walk would pass everything."""
    rooms = {room(name) for name, _ in modules(PACKAGE)}

    assert rooms >= {"__init__", "errors", "types", "text", "diagnostics"}


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("text/a.py", "from gsws.diagnostics import Finding\n", "above"),
        ("text/a.py", "def f():\n    import gsws.cli.entry\n", "above"),
        ("text/a.py", "from ..runtime import hub\n", "above"),
        ("text/__init__.py", "from ..runtime import hub\n", "above"),
        ("text/deep/__init__.py", "from ...runtime.hub import Hub\n", "above"),
        ("text/a.py", "from gsws import runtime\n", "above"),
        ("protocol/a.py", "from gsws import GSStatus\n", "above"),
        ("protocol/a.py", "from .. import GSStatus\n", "above"),
        ("protocol/a.py", "import importlib\nimportlib.import_module('gsws.runtime')\n", "above"),
        ("protocol/a.py", "import asyncio\n", "must not import"),
        ("protocol/a.py", "from gsws.schema import Validator\n", "a sibling of"),
        ("schema/a.py", "from gsws.project import Project\n", "a sibling of"),
        ("plugins/a.py", "from gsws.eventsources import websocket\n", "a sibling of"),
        ("client/a.py", "from gsws.project import Project\n", "imports only"),
        ("runtime/a.py", "def f():\n    from gsws.eventsources.websocket import config\n", "must not know"),
        ("runtime/a.py", "from gsws.datasources import documents\n", "must not know"),
        ("eventsources/a.py", "from gsws.protocol import codec\n", "imports only"),
        ("runtime/rooms/hub.py", "import websockets.frames\n", "only gsws.runtime.transport"),
        ("ai/threads/a.py", "from gsws.ai.turn.failures import FAILURES\n", "above"),
        ("ai/retrieval/a.py", "from gsws.ai.budget import Budget\n", "a sibling of"),
        ("ai/a.py", "from gsws.ai import content\n", "has no floor"),
        ("errors.py", "from gsws.text.span import Span\n", "a sibling of"),
        ("novel/a.py", "", "has no floor"),
        ("novel.py", "", "has no floor"),
    ],
)
def test_a_violation_is_found(tmp_path: Path, file: str, text: str, message: str) -> None:
    """Each way of reaching upwards or sideways is seen, however the import is written."""
    path = tmp_path / "gsws" / file
    path.parent.mkdir(parents=True)
    path.write_text(text)

    [found] = violations(tmp_path / "gsws")

    assert message in found


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("project/a.py", "from gsws.schema import Validator\nfrom . import b\nfrom .b import c\n"),
        ("eventsources/a.py", "from gsws.plugins import Plugin\n"),
        ("cli/a.py", "def f():\n    from gsws.reload import watch\n    from ..errors import GSWSError\n"),
        ("__init__.py", "from .runtime.context import GSContext\nfrom gsws.types import JSONValue\n"),
        ("runtime/sessions/a.py", "from gsws.runtime.rooms.hub import Hub\nfrom gsws.runtime.wheel import Wheel\n"),
        ("runtime/counters.py", "from gsws.runtime.wheel import Wheel\n"),
        ("runtime/transport/a.py", "from websockets.server import ServerProtocol\nimport asyncio\n"),
    ],
)
def test_what_is_allowed_is_not_found(tmp_path: Path, file: str, text: str) -> None:
    """Downward imports, imports within a folder and the named sibling pairs pass."""
    path = tmp_path / "gsws" / file
    path.parent.mkdir(parents=True)
    path.write_text(text)

    assert violations(tmp_path / "gsws") == []
