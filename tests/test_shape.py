"""
The shape of the package: no imports in a circle, no class that is too large together with its bases.

Both are read by `ast`, and what stands under `TYPE_CHECKING` or in a function counts: a reader follows that too.
The exceptions are what is still to be cut; one that is not needed any more fails until it is deleted here.
Not here: which folder may import which (`test_floors.py`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.test_floors import PACKAGE, imports, modules

# Folders whose members (modules and folders) still import each other in a circle.
CIRCLES_LEFT: set[str] = set()

MOST_LINES = 450
MOST_METHODS = 60

# Classes that are still larger than that.
LARGE_LEFT: set[str] = set()

Graph = Mapping[str, frozenset[str]]


@cache
def import_graph(package: Path) -> Graph:
    """Each module of a package with those that it imports; a folder stands for its `__init__`."""
    files = {name.removesuffix(".__init__"): (name, path) for name, path in modules(package)}
    graph = {}
    for module, (name, path) in files.items():
        targets = set()
        for target, _ in imports(name, path):
            while target and target not in files:
                target = target.rpartition(".")[0]
            targets.add(target)
        graph[module] = frozenset(targets - {"", module})
    return graph


def circles(graph: Graph) -> list[frozenset[str]]:
    """The largest sets of more than one member in which each reaches each other."""
    reached = {}
    for start in graph:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for target in graph.get(waiting.pop(), ()):
                if target not in seen:
                    seen.add(target)
                    waiting.append(target)
        reached[start] = seen
    found = {frozenset(two for two in seen if one in reached[two]) for one, seen in reached.items() if one in seen}
    return sorted((circle for circle in found if len(circle) > 1), key=sorted)


def siblings(graph: Graph, folder: str) -> Graph:
    """The members of a folder with the members that they, or what lies in them, import."""
    depth = folder.count(".") + 2
    members: dict[str, set[str]] = {}
    for module, targets in graph.items():
        if module.startswith(f"{folder}."):
            member = ".".join(module.split(".")[:depth])
            inside = {".".join(target.split(".")[:depth]) for target in targets if target.startswith(f"{folder}.")}
            members.setdefault(member, set()).update(inside - {member})
    return {member: frozenset(targets) for member, targets in members.items()}


def circles_by_folder(package: Path) -> dict[str, list[str]]:
    """Folders with circles between their members, or between files of which they are the nearest common folder."""
    graph = import_graph(package)
    parts = [module.split(".") for module in graph]
    folders = {".".join(names[:depth]) for names in parts for depth in range(1, len(names))}
    found: dict[str, list[str]] = {}
    for folder in sorted(folders):
        for circle in circles(siblings(graph, folder)):
            found.setdefault(folder, []).append(" ".join(sorted(circle)))
    for circle in circles(graph):
        found.setdefault(_common_folder(circle, folders), []).append(" ".join(sorted(circle)))
    return found


def _common_folder(circle: Iterable[str], folders: set[str]) -> str:
    paths = [f"{module}." for module in circle]
    return max((folder for folder in folders if all(path.startswith(f"{folder}.") for path in paths)), key=len)


@cache
def class_sizes(package: Path) -> dict[str, tuple[int, int]]:
    """Each class of a package with its lines and its methods, those of its bases in the package included."""
    defined: dict[str, ast.ClassDef] = {}
    bases: dict[str, list[str]] = {}
    imported: dict[str, str] = {}
    for name, path in modules(package):
        module = name.removesuffix(".__init__")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        # `from a import B` makes `module.B` another name for `a.B`.
        imported |= {f"{module}.{target.rpartition('.')[2]}": target for target, _ in imports(name, path)}
        for node, outer in _classes(tree.body, module):
            defined[outer] = node
            bases[outer] = [f"{module}.{base}" for base in map(_name, node.bases) if base]

    def resolved(name: str) -> str:
        seen = set()
        while name not in defined and name in imported and name not in seen:
            seen.add(name)
            name = imported[name]
        return name

    def family(name: str) -> set[str]:
        known = {name}
        for base in map(resolved, bases.get(name, ())):
            if base in defined:
                known |= family(base)
        return known

    return {
        name: (sum(_lines(defined[one]) for one in family(name)), sum(_methods(defined[one]) for one in family(name)))
        for name in defined
    }


def _classes(body: list[ast.stmt], within: str) -> Iterator[tuple[ast.ClassDef, str]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield node, f"{within}.{node.name}"
        for block in ("body", "orelse"):
            inner = f"{within}.{node.name}" if isinstance(node, ast.ClassDef) else within
            yield from _classes(getattr(node, block, []), inner)


def _name(base: ast.expr) -> str:
    base = base.value if isinstance(base, ast.Subscript) else base
    return base.id if isinstance(base, ast.Name) else ""


def _lines(node: ast.ClassDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _methods(node: ast.ClassDef) -> int:
    return sum(isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef) for member in node.body)


def too_large(package: Path) -> dict[str, tuple[int, int]]:
    """The classes of a package with more lines or methods than one may have."""
    sizes = class_sizes(package).items()
    return {name: size for name, size in sizes if size[0] > MOST_LINES or size[1] > MOST_METHODS}


def test_nothing_imports_in_a_circle() -> None:
    """No two members of a folder, and no two files, need each other."""
    found = circles_by_folder(PACKAGE)

    assert {folder: circles for folder, circles in found.items() if folder not in CIRCLES_LEFT} == {}
    assert CIRCLES_LEFT <= found.keys(), f"delete {sorted(CIRCLES_LEFT - found.keys())} from CIRCLES_LEFT"


def test_no_class_is_too_large_with_its_bases() -> None:
    """A class is cut into objects that each own one thing, not into bases that share `self`."""
    found = too_large(PACKAGE)

    assert {name: size for name, size in found.items() if name not in LARGE_LEFT} == {}
    assert LARGE_LEFT <= found.keys(), f"delete {sorted(LARGE_LEFT - found.keys())} from LARGE_LEFT"


def test_the_package_is_really_read() -> None:
    """Both checks see the whole package: an empty walk would pass everything."""
    assert "gsws.errors" in import_graph(PACKAGE)["gsws.cli.entry"]
    assert class_sizes(PACKAGE).keys() >= {"gsws.client.client.Client", "gsws.runtime.sessions.client.Client"}


def _write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / "gsws" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root / "gsws"


@pytest.mark.parametrize(
    ("files", "folder", "members"),
    [
        ({"a.py": "from gsws import b\n", "b.py": "import gsws.a\n"}, "gsws", "gsws.a gsws.b"),
        (
            {"a.py": "if TYPE_CHECKING:\n    from .b import B\n", "b.py": "def f():\n    from gsws.a import A\n"},
            "gsws",
            "gsws.a gsws.b",
        ),
        (
            {"x/a.py": "from . import b\n", "x/b.py": "from .c import C\n", "x/c.py": "from .a import A\n"},
            "gsws.x",
            "gsws.x.a gsws.x.b gsws.x.c",
        ),
        (  # no file imports one that imports it, but the folders do
            {
                "x/a.py": "from gsws.y.a import A\n",
                "y/b.py": "from gsws.x.b import B\n",
                "x/b.py": "",
                "y/a.py": "",
            },
            "gsws",
            "gsws.x gsws.y",
        ),
        (  # a folder's own names and one of its modules
            {"x/__init__.py": "from gsws.x.a import A\n", "x/a.py": "from gsws.x import B\n"},
            "gsws.x",
            "gsws.x gsws.x.a",
        ),
    ],
)
def test_a_circle_is_found(tmp_path: Path, files: Mapping[str, str], folder: str, members: str) -> None:
    """Between files, between folders, and however the import is written."""
    found = circles_by_folder(_write(tmp_path, {"__init__.py": "", **files}))

    assert set(found) == {folder}
    assert members in found[folder]


def test_what_is_no_circle_is_not_found(tmp_path: Path) -> None:
    """A module that two need, and a folder's names that its modules do not use, are no circle."""
    files = {
        "__init__.py": "from gsws.x import A\n",
        "x/__init__.py": "from gsws.x.a import A\n",
        "x/a.py": "from gsws.x.b import B\nfrom gsws.y import C\n",
        "x/b.py": "from gsws.y import C\n",
        "y.py": "import os\n",
    }
    package = _write(tmp_path, files)

    assert circles_by_folder(package) == {}


def _class(head: str, methods: int, lines: int) -> str:
    return f"class {head}:\n" + "    def f(self): ...\n" * methods + "    x = 1\n" * (lines - methods - 1)


def test_a_class_is_counted_with_its_bases(tmp_path: Path) -> None:
    """Bases elsewhere in the package count, once each, also over a folder's names; bases of the same name do not."""
    package = _write(
        tmp_path,
        {
            "__init__.py": "",
            "x/__init__.py": "from gsws.x.a import Base\n",
            "x/a.py": _class("Root", 30, 200) + _class("Base(Root)", 20, 150),
            "b.py": "from gsws.x import Base\n"
            + _class("Other(Base, Generic[T])", 5, 50)
            + _class("Large(Base, Other)", 10, 60),
            "c.py": _class("Base", 1, 2) + _class("Small(Base)", 1, 3),
        },
    )

    sizes = class_sizes(package)

    assert sizes["gsws.b.Other"] == (400, 55)
    assert sizes["gsws.b.Large"] == (460, 65)
    assert sizes["gsws.c.Small"] == (5, 2)
    assert too_large(package) == {"gsws.b.Large": (460, 65)}
