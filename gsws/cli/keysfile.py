"""
Writing a file of API keys: comments stay, nobody sees half a file, nobody but the owner may read it.

What an entry means is `gsws.runtime.identity.apikeys`'s.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from gsws.cli import output
from gsws.text.replacing import replace_file

__all__ = ["append", "locked", "remove"]

_HEADER: Final = "# API keys of this service: hashes only. `gsws keys add` and `gsws keys revoke` change this file.\n"
_QUOTED: Final = ("id", "subject", "hash", "created", "expires")
_MODE: Final = 0o600


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep another `gsws keys` from changing the file meanwhile."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with output.refusing(f"cannot write `{path}`"):
        folder = os.open(path.resolve().parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def append(path: Path, entry: Mapping[str, Any]) -> None:
    """
    Add one entry; the file is made if it is not there.

    Raises:
        Failure: If it cannot be written.
    """
    data = _load(path)
    keys = data.get("keys")
    if not isinstance(keys, CommentedSeq):
        keys = data["keys"] = CommentedSeq()
    keys.append(_written(entry))
    _save(path, data)


def remove(path: Path, index: int) -> None:
    """
    Take the entry with an index out.

    Raises:
        Failure: If the file cannot be written.
    """
    data = _load(path)
    del data["keys"][index]
    if not data["keys"]:
        # An empty list that is not written out would be what a damaged file has; comments on entries go with them.
        data.ca.items.pop("keys", None)
        data["keys"] = CommentedSeq()
        data["keys"].fa.set_flow_style()
    _save(path, data)


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _load(path: Path) -> CommentedMap:
    with output.refusing(f"cannot read `{path}`"):
        text = path.read_text("utf-8") if path.exists() else _HEADER + "keys: []\n"
    data = _yaml().load(text)
    if data is None:
        data = _yaml().load((text if text.endswith("\n") or not text else text + "\n") + "keys: []\n")
    assert isinstance(data, CommentedMap)
    if isinstance(data.get("keys"), CommentedSeq) and not data["keys"]:
        # An empty list stands as `[]`, and would go on in that style.
        data["keys"].fa.set_block_style()
    return data


def _written(entry: Mapping[str, Any]) -> CommentedMap:
    made = CommentedMap()
    for name, value in entry.items():
        if isinstance(value, list):
            made[name] = CommentedSeq([DoubleQuotedScalarString(item) for item in value])
            made[name].fa.set_flow_style()
        else:
            made[name] = DoubleQuotedScalarString(value) if name in _QUOTED else value
    return made


def _save(path: Path, data: CommentedMap) -> None:
    text = StringIO()
    _yaml().dump(data, text)
    with output.refusing(f"cannot write `{path}`"):
        replace_file(path, text.getvalue().encode(), mode=_MODE)
