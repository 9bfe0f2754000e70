"""
The project's Python modules, imported in revisions.

A `ModuleSet` finds ``functions/`` and the helper packages beside it without touching ``sys.path``, reads their source
itself (byte-code caches compare whole seconds, too coarse for an editor), and records who imports whom. A revision
imports again what changed and what depends on it; if that fails, the modules of the revision before are put back.
Which handlers a project needs is decided in `gsws.routing.table`.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

__all__ = ["FUNCTIONS", "ModuleSet"]

FUNCTIONS = "functions"
"""Folder and import package of the handlers."""


class ModuleSet:
    """
    All modules of one project that are imported in this process.

    Args:
        base: The folder that holds ``functions/``.
    """

    def __init__(self, base: Path) -> None:
        self.base = base.resolve()
        self._finder = _ProjectFinder(self.base)
        self._lock = threading.RLock()
        self._open = False

    def open(self) -> None:
        """Make the project's modules importable in this process."""
        if not self._open:
            sys.meta_path.insert(0, self._finder)
            self._open = True

    def close(self) -> None:
        """Forget the project's modules; objects that are still referenced live on."""
        with self._lock:
            if self._open:
                sys.meta_path.remove(self._finder)
                self._open = False
            for name in self._loaded():
                sys.modules.pop(name, None)

    def load(self, dotted: str) -> ModuleType:
        """
        Import the handler module ``functions/<dotted>.py``.

        Raises:
            BaseException: Whatever the module raises while it is imported.
        """
        return importlib.import_module(f"{FUNCTIONS}.{dotted}")

    @contextmanager
    def revision(self, changed: Iterable[Path]) -> Iterator[None]:
        """
        Import anew what ``changed`` concerns, inside the ``with`` block; leave by an exception to undo.

        Args:
            changed: Files that were written, added or removed.
        """
        with self._lock:
            dropped = self._drop(self.dependents(changed))
            before = self._loaded().keys()
            self._finder.stale = set(dropped)
            self._finder.read = {}
            try:
                yield
            except BaseException:
                for name in self._loaded().keys() - before:
                    sys.modules.pop(name, None)
                for name, module in dropped.items():
                    _register(name, module)
                raise
            finally:
                self._finder.stale = set()

    def read(self) -> dict[str, bytes]:
        """The files that the last revision read, with the hash of what it read (BLAKE2b, 16 bytes)."""
        return self._finder.read

    def dependents(self, changed: Iterable[Path]) -> set[str]:
        """Name the loaded modules that were read from ``changed`` or import, directly or not, one that was."""
        # Not `Path.resolve`, which raises on a link that leads to itself.
        paths = {os.path.realpath(path) for path in changed}
        # Of a folder that was moved in or away there is one event, and none for its files.
        folders = tuple(f"{path}{os.sep}" for path in paths if not path.endswith(".py"))
        loaded = self._loaded()
        concerned = {
            name
            for name, module in loaded.items()
            if (file := _file_of(module)) is not None and (file in paths or file.startswith(folders))
        }
        # A file that appears may be what an optional import was waiting for, or turn a namespace into a package.
        concerned |= set(self._names_of(paths))
        while True:
            importers = {
                name
                for name in loaded
                if name not in concerned and not concerned.isdisjoint(self._finder.imports.get(name, ()))
            }
            # A package made anew does not have the modules of the old one as attributes.
            importers |= {name for name in loaded.keys() - concerned if not concerned.isdisjoint(_with_parents(name))}
            if not importers:
                return concerned
            concerned |= importers

    def _names_of(self, paths: set[str]) -> Iterator[str]:
        for path in paths:
            if Path(path).suffix not in ("", ".py"):
                continue
            try:
                parts = Path(path).relative_to(self.base).with_suffix("").parts
            except ValueError:
                continue
            yield ".".join(parts[:-1] if parts and parts[-1] == "__init__" else parts)

    def _drop(self, names: set[str]) -> dict[str, ModuleType]:
        dropped = {}
        for name in names:
            module = sys.modules.pop(name, None)
            if module is not None:
                dropped[name] = module
        importlib.invalidate_caches()
        return dropped

    def _loaded(self) -> dict[str, ModuleType]:
        """The modules in ``sys.modules`` that this set's loader made."""
        return {
            name: module
            for name, module in list(sys.modules.items())
            if getattr(getattr(module, "__spec__", None), "loader_state", None) is self._finder
        }


class _ProjectFinder(MetaPathFinder):
    """Finds modules under the project's base, without caching what a folder holds."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.imports: dict[str, frozenset[str]] = {}
        self.stale: set[str] = set()
        self.read: dict[str, bytes] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        parent, _, tail = fullname.rpartition(".")
        if not parent:
            if tail in sys.stdlib_module_names or not _is_project_name(self.base, tail):
                return None
            folders = [self.base]
        else:
            folders = [folder for entry in path or () if (folder := Path(entry)).is_relative_to(self.base)]
        for folder in folders:
            spec = self._spec(fullname, folder / tail)
            if spec is not None:
                spec.loader_state = self
                return spec
        return None

    def _spec(self, fullname: str, place: Path) -> ModuleSpec | None:
        package = place / "__init__.py"
        if package.is_file():
            loader = _Loader(fullname, str(package), self)
            return importlib.util.spec_from_file_location(
                fullname, package, loader=loader, submodule_search_locations=[str(place)]
            )
        module = place.with_name(place.name + ".py")
        if module.is_file():
            return importlib.util.spec_from_file_location(fullname, module, loader=_Loader(fullname, str(module), self))
        if place.is_dir():
            spec = ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [str(place)]
            return spec
        return None


class _Loader(SourceFileLoader):
    """Compiles source on every import, notes what it imports, and sees to it that this is of the same revision."""

    def __init__(self, fullname: str, path: str, finder: _ProjectFinder) -> None:
        super().__init__(fullname, path)
        self._finder = finder

    def exec_module(self, module: ModuleType) -> None:
        """
        Run the module's code.

        ``from package import module`` takes the package's attribute before it asks for an import, and that still is
        the revision before. So what is stale is imported first; a circle finds this module as the attribute.
        """
        name = module.__name__
        code = self.get_code(name)
        stale = self._finder.stale
        if name in stale:
            stale.discard(name)
            _register(name, module)
        for dependency in sorted(self._finder.imports[name] & stale):
            if dependency in stale and importlib.util.find_spec(dependency) is not None:
                importlib.import_module(dependency)
        exec(code, module.__dict__)  # noqa: S102  # what a loader is for

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        source = self.get_data(path)
        self._finder.read[path] = hashlib.blake2b(source, digest_size=16).digest()
        tree = ast.parse(source, path)
        package = fullname if path.endswith("__init__.py") else fullname.rpartition(".")[0]
        self._finder.imports[fullname] = frozenset(_imported_names(tree, package))
        code: CodeType = compile(tree, path, "exec", dont_inherit=True)
        return code


def _is_project_name(base: Path, name: str) -> bool:
    """Tell whether a top-level name is the project's: a module, a package, or a folder that holds Python files."""
    if (base / f"{name}.py").is_file():
        return True
    folder = base / name
    return folder.is_dir() and (name == FUNCTIONS or any(folder.glob("*.py")))


def _imported_names(tree: ast.AST, package: str) -> Iterator[str]:
    """Name every module that the code may import, with the packages above it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _with_parents(alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                module = ".".join([*above, module] if module else above)
            yield from _with_parents(module)
            for alias in node.names:
                yield f"{module}.{alias.name}"


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        yield ".".join(parts[:end])


def _register(name: str, module: ModuleType) -> None:
    """Put a module back, also as the attribute of its package."""
    sys.modules[name] = module
    parent, _, tail = name.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], tail, module)


def _file_of(module: ModuleType) -> str | None:
    return getattr(module, "__file__", None)
