"""
The project's Python modules, imported in revisions.

A `ModuleSet` finds ``functions/`` and the helper packages beside it, reads their source itself (byte-code caches
compare whole seconds, too coarse for an editor), and records who imports whom. A revision imports again what changed
and what depends on it; if that fails, the modules of the revision before are put back. What is slow about an import
can be prepared in any thread; running a module's code is left to the thread that imports it.
Which handlers a project needs is decided in `gsws.routing.table`.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.abc import MetaPathFinder, PathEntryFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from gsws.project.project import Project

__all__ = ["FUNCTIONS", "Functions", "ModuleSet"]

FUNCTIONS = "functions"
"""Folder and import package of the handlers."""

_TICK = 50_000_000
"""Nanoseconds in which a file may change twice without its time telling."""


class ModuleSet:
    """
    All modules of one project that are imported in this process.

    Args:
        base: The folder that holds ``functions/``.
    """

    def __init__(self, base: Path) -> None:
        self.base = base.resolve()
        self._finder = _ProjectFinder(self.base)
        self._open = False

    def open(self) -> None:
        """
        Make the project's modules importable in this process, and in processes that it spawns.

        The latter take over ``sys.path`` and nothing else. Here its entry finds nothing: the project's modules have a
        finder of their own, and a folder such as ``events/`` is no package of anybody.
        """
        if not self._open:
            sys.meta_path.insert(0, self._finder)
            sys.path.append(str(self.base))
            sys.path_importer_cache[str(self.base)] = _NothingHere()
            self._open = True

    def close(self) -> None:
        """Forget the project's modules; objects that are still referenced live on."""
        if self._open:
            sys.meta_path.remove(self._finder)
            with suppress(ValueError):  # a module of the project may have set another path
                sys.path.remove(str(self.base))
            sys.path_importer_cache.pop(str(self.base), None)
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

    def is_loaded(self, dotted: str) -> bool:
        """Whether `load` would give a module that is there already."""
        return f"{FUNCTIONS}.{dotted}" in sys.modules

    def concerned(self, changed: Iterable[Path]) -> set[str]:
        """
        Name the loaded modules that a revision has to import anew; may be called in any thread.

        Args:
            changed: Files that were written, added or removed. A module whose file has another content now is found
                whether it is named here or not: a link, or a notice that was lost, may hide it.
        """
        return self.dependents(changed, self._outdated())

    def prepare(self, names: Iterable[str]) -> None:
        """Read and compile modules, and what they import of the project, for an import that will follow."""
        todo, done = list(names), set[str]()
        while todo:
            name = todo.pop()
            if name in done:
                continue
            done.add(name)
            place = self._place_of(name)
            if place is not None:
                # What is wrong with it shows when it is imported.
                with suppress(SyntaxError, ValueError, OSError, RecursionError, MemoryError):
                    prepared = self._finder.prepare(name, *place)
                    todo += [one for one in prepared.imports if one not in sys.modules]

    @contextmanager
    def revision(self, changed: Iterable[Path], concerned: set[str] | None = None) -> Iterator[set[str]]:
        """
        Import anew what ``changed`` concerns, inside the ``with`` block; leave by an exception to undo.

        Args:
            changed: Files that were written, added or removed.
            concerned: What `concerned` made of them, if that was asked before.

        Yields:
            The names of the modules that were dropped.
        """
        dropped = self._drop(self.concerned(changed) if concerned is None else concerned)
        before = self._loaded().keys()
        read, imports = dict(self._finder.stamps), dict(self._finder.imports)
        self._finder.stale = set(dropped)
        self._finder.read = {}
        try:
            yield set(dropped)
        except BaseException:
            for name in self._loaded().keys() - before:
                sys.modules.pop(name, None)
            for name, module in dropped.items():
                _register(name, module)
            self._finder.stamps, self._finder.imports = read, imports
            raise
        finally:
            self._finder.stale = set()
            self._finder.prepared = {}

    def read(self) -> dict[str, bytes]:
        """The files that the last revision read, with the hash of what it read (BLAKE2b, 16 bytes)."""
        return self._finder.read

    def dependents(self, changed: Iterable[Path], outdated: Iterable[str] = ()) -> set[str]:
        """Name the loaded modules that were read from ``changed`` or import, directly or not, one that was."""
        # Not `Path.resolve`, which raises on a link that leads to itself. A link is known by both of its ends.
        paths = {place for path in changed for place in (str(path), os.path.realpath(path))}
        # Of a folder that was moved in or away there is one event, and none for its files.
        folders = tuple(f"{path}{os.sep}" for path in paths if not path.endswith(".py"))
        loaded = self._loaded()
        concerned = {
            name
            for name, module in loaded.items()
            if any(file in paths or file.startswith(folders) for file in _files_of(module))
        }
        concerned |= loaded.keys() & set(outdated)
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

    def _outdated(self) -> set[str]:
        """The loaded modules whose files have another content than was imported, or are gone."""
        loaded = self._loaded()
        return {
            name
            for name, stamp in list(self._finder.stamps.items())
            if (file := getattr(loaded.get(name), "__file__", None)) is not None and _is_outdated(file, stamp)
        }

    def _place_of(self, name: str) -> tuple[str, bool] | None:
        """The file of a module of the project, and whether it is a package's; None if it has none."""
        module = sys.modules.get(name)
        file = getattr(module, "__file__", None)
        if file is None:
            parent, _, tail = name.rpartition(".")
            if not parent and (tail in sys.stdlib_module_names or not _is_project_name(self.base, tail)):
                return None
            place = self.base.joinpath(*name.split("."))
            file = next((one for one in (f"{place}/__init__.py", f"{place}.py") if Path(one).is_file()), None)
        elif name not in self._loaded():
            return None
        return None if file is None else (file, file.endswith("__init__.py"))

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


@dataclass(frozen=True, slots=True)
class _Prepared:
    """
    A module's source, read and compiled.

    Attributes:
        digest: Of its bytes.
        signature: What the file system says of it; None if that may stay the same through another edit.
        code: None once it was run.
        imports: The names that it may import.
    """

    digest: bytes
    signature: tuple[int, ...] | None
    code: CodeType | None
    imports: frozenset[str]


class _NothingHere(PathEntryFinder):
    """Stands for the project's folder on ``sys.path``."""

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> None:
        del fullname, target

    def invalidate_caches(self) -> None:
        """There is nothing to forget."""


class _ProjectFinder(MetaPathFinder):
    """Finds modules under the project's base, without caching what a folder holds."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.imports: dict[str, frozenset[str]] = {}
        self.stamps: dict[str, _Prepared] = {}
        self.stale: set[str] = set()
        self.read: dict[str, bytes] = {}
        self.prepared: dict[str, _Prepared] = {}

    def prepare(self, name: str, path: str, is_package: bool) -> _Prepared:
        """Compile a file, unless it was compiled with the content that it has now."""
        signature = _signature(path)
        source = Path(path).read_bytes()
        digest = hashlib.blake2b(source, digest_size=16).digest()
        kept = self.prepared.get(path)
        if kept is None or kept.digest != digest:
            tree = ast.parse(source, path)
            package = name if is_package else name.rpartition(".")[0]
            code: CodeType = compile(tree, path, "exec", dont_inherit=True)
            kept = self.prepared[path] = _Prepared(digest, signature, code, frozenset(_imported_names(tree, package)))
        self.read[path] = digest
        return kept

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
        prepared = self._finder.prepare(fullname, path, path.endswith("__init__.py"))
        assert prepared.code is not None
        self._finder.imports[fullname] = prepared.imports
        self._finder.stamps[fullname] = replace(prepared, code=None)
        return prepared.code


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


def _files_of(module: ModuleType) -> tuple[str, ...]:
    """Where a module was read from: its name in the project, and what that leads to if it is a link."""
    file = getattr(module, "__file__", None)
    return () if file is None else (file, os.path.realpath(file))


def _is_outdated(file: str, stamp: _Prepared) -> bool:
    """Whether a file has another content than was imported; it is read only if its signature leaves that open."""
    try:
        if stamp.signature is not None and stamp.signature == _signature(file):
            return False
        return hashlib.blake2b(Path(file).read_bytes(), digest_size=16).digest() != stamp.digest
    except OSError:
        return True


def _signature(file: str) -> tuple[int, ...] | None:
    status = Path(file).stat()
    if abs(time.time_ns() - status.st_mtime_ns) < _TICK:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


class Functions(Mapping[str, Any]):
    """The project's handlers by dotted name, imported when they are asked for."""

    __slots__ = ("_handlers", "_modules")

    def __init__(self, project: Project, modules: ModuleSet) -> None:
        self._handlers = project.handlers
        self._modules = modules

    def __getitem__(self, name: str) -> Any:
        reference = self._handlers.find(name)
        if reference is None:
            raise KeyError(name)
        return getattr(self._modules.load(reference.module), reference.callable)

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no function `{name}` under functions/") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._handlers.names())

    def __len__(self) -> int:
        return len(self._handlers.names())
