"""GS008: files that look like a part of the project and are passed by, for their folder or their ending."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gsws.diagnostics.finding import Finding, warning
from gsws.project.files.customenv import VARIABLES
from gsws.project.files.discovery import SETTINGS
from gsws.project.rules.scope import Scope
from gsws.text.span import Span

__all__ = ["misplaced_files"]

_FOLDERS: Final = {
    "event": "events",
    "eventsource": "eventsources",
    "function": "functions",
    "definition": "definitions",
    "datasource": "datasources",
    "mapping": "mappings",
}
_CONFIGS: Final = frozenset(
    f"{stem}.{ending}" for stem in ("default", "development", "production", VARIABLES) for ending in ("yaml", "yml")
)
_ENDINGS: Final = (".json", ".yaml.txt", ".yml.txt", ".YAML", ".YML")
_EVENT: Final = re.compile(
    r"""^["']?[A-Za-z0-9_-]+\.[\w.-]+["']?:[ \t]*(?:\#.*)?\r?\n
    (?:[ \t]*(?:\#.*)?\r?\n)*
    [ \t]+fn:""",
    re.MULTILINE | re.VERBOSE,
)
_MAX_BYTES: Final = 100_000
_MAX_FINDINGS: Final = 20


def misplaced_files(scope: Scope) -> Iterator[Finding]:
    """What somebody meant for gsws, each with the command that puts it right."""
    for number, (name, reason, goal) in enumerate(_found(scope.root, scope.base)):
        if number >= _MAX_FINDINGS:
            return
        # A folder that is there already is not to be moved into.
        move = f"`mv {shlex.quote(name)} {shlex.quote(goal)}`"
        span = None if (scope.root / name).is_dir() else Span.top(name)
        yield warning("GS008", f"`{name}` is passed by: {reason}", span, "", f"{move} puts it right")
    if scope.base != scope.root and all((place / "config").is_dir() for place in (scope.root, scope.base)):
        for name in sorted(_names(scope.root / "config")):
            if name in _CONFIGS:
                reason = "the project's config stands in `src/config/`"
                help = "keep one of the two folders"
                yield warning("GS008", f"`config/{name}` is passed by: {reason}", Span.top(f"config/{name}"),
                              "", help)  # fmt: skip


def _found(root: Path, base: Path) -> Iterator[tuple[str, str, str]]:
    """Path, reason and where it belongs, from the root."""
    prefix = "" if base == root else f"{base.relative_to(root).as_posix()}/"
    for name in sorted(_names(root)):
        if name in ("gsws.yml", "gsws.yaml.txt") and not (root / SETTINGS).exists():
            yield name, f"settings stand in `{SETTINGS}`", SETTINGS
    for name in sorted(_names(base)):
        path = base / name
        right = _FOLDERS.get(name.lower().removesuffix("s"))
        if right is not None and name != right and path.is_dir():
            if not (base / right).exists() and any(_names(path)):
                yield prefix + name, f"the folder's name is `{right}`", prefix + right
        elif name.endswith((".yaml", ".yml")) and name != SETTINGS and _is_event_file(path):
            goal = f"events/{name}"
            if not (base / goal).exists() and (base / "events").is_dir():
                yield prefix + name, "event files stand under `events/`", prefix + goal
    for folder in ("events", "eventsources"):
        for name in sorted(_names(base / folder)):
            ending = next((one for one in _ENDINGS if name.endswith(one)), None)
            if ending is not None:
                goal = f"{folder}/{name.removesuffix(ending)}.yaml"
                if not (base / goal).exists():
                    yield f"{prefix}{folder}/{name}", "only `.yaml` and `.yml` are read", prefix + goal


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir() if not path.name.startswith(".") and path.name.isprintable()]
    except OSError:
        return []


def _is_event_file(path: Path) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return _EVENT.search(file.read(_MAX_BYTES).decode("utf-8", "replace")) is not None
    except OSError:
        return False
