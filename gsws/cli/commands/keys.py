"""`gsws keys add | list | revoke`: API keys. A key is shown once; the file holds its hash (`gsws.cli.keysfile`)."""

from __future__ import annotations

import re
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path

from gsws.cli import keysfile, output
from gsws.cli.current_project import no_project
from gsws.cli.suggest import did_you_mean
from gsws.project import find_root, load_project
from gsws.runtime.identity.apikeys import ApiKey, hash_of, read_keys
from gsws.runtime.identity.grantfile import GrantFileError
from gsws.runtime.identity.verdict import Refused, subject_of

__all__ = ["add", "revoke", "show"]

_DEFAULT = "keys.yaml"
_PREFIX = "gsws_"
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,255}")  # RFC 6749 section 3.3
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def add(
    *, subject: str, scopes: list[str], id: str | None, expires: str | None, file: str | None, as_json: bool
) -> int:
    """
    Make a key, write its hash, and print it.

    Raises:
        Failure: Exit 2 for a subject, scope, id or time that cannot be one; 1 for a file that cannot be used.
    """
    entry = _entry(subject, scopes, id, expires)
    path = _path(file)
    key = _PREFIX + secrets.token_urlsafe(32)
    entry["hash"] = hash_of(key)
    with keysfile.locked(path):
        known = _read(path) if path.exists() else ()
        if any(one.id == entry["id"] for one in known):
            raise output.Failure(f"there is a key `{entry['id']}` already", "choose another `--id`, or leave it out")
        keysfile.append(path, entry)
    if as_json:
        output.result_json({"ok": True, **{name: value for name, value in entry.items() if name != "hash"},
                            "key": key, "file": _shown(path)})  # fmt: skip
        return output.GOOD
    output.result(key)
    output.note(f"  key `{output.plain(str(entry['id']))}` of {output.plain(subject)} is in {_shown(path)}")
    output.note("  it is shown this once: only its hash is kept")
    _tell_unread(path)
    return output.GOOD


def show(*, file: str | None, as_json: bool) -> int:
    """
    Show the keys of the file, without their hashes.

    Raises:
        Failure: If the file is there and cannot be used.
    """
    path = _path(file)
    is_there = path.exists() or path.is_symlink()
    keys = _read(path) if is_there else ()
    if as_json:
        listed = [
            {
                "id": one.id,
                "subject": one.subject,
                "scopes": list(one.scopes),
                "expires": _when(one),
                "ok": _is_good(one),
            }
            for one in keys
        ]
        return output.result_json({"ok": True, "file": _shown(path), "keys": listed})
    if not keys:
        why = "" if is_there else f": there is no {_shown(path)}"
        output.note(f"  no keys yet{why}; `gsws keys add --subject NAME` makes one")
        return output.GOOD
    rows = [
        (one.id, one.subject, " ".join(one.scopes), (_when(one) or "") + ("" if _is_good(one) else " (expired)"))
        for one in keys
    ]
    output.table(("id", "subject", "scopes", "expires"), rows)
    return output.GOOD


def revoke(id: str, *, file: str | None, as_json: bool) -> int:
    """
    Take a key out of the file; a running service closes its connections within a second or two.

    Raises:
        Failure: If there is no such key.
    """
    path = _path(file)
    with keysfile.locked(path):
        known = [one.id for one in _read(path)]
        if id not in known:
            help = did_you_mean(id, known) or "`gsws keys list` shows them"
            raise output.Failure(f"no key `{id}` in {_shown(path)}", help)
        keysfile.remove(path, known.index(id))
    if as_json:
        output.result_json({"ok": True, "id": id, "file": _shown(path)})
    else:
        output.result(f"revoked {output.plain(id)}")
    return output.GOOD


def _entry(subject: str, scopes: list[str], id: str | None, expires: str | None) -> dict[str, object]:
    try:
        subject_of(subject)
    except Refused:
        raise output.misuse("a subject is a text of 1 to 512 characters without control characters") from None
    wanted = list(dict.fromkeys(scope for text in scopes for scope in text.split()))
    for scope in wanted:
        if not _SCOPE.fullmatch(scope):
            raise output.misuse(f"`{scope}` is no scope", "for example `--scope chat:write`")
    id = id if id is not None else f"k-{secrets.token_hex(5)}"
    if not _ID.fullmatch(id):
        raise output.misuse(f"`{id}` is no id; expected letters, digits, `.`, `_` and `-`")
    entry: dict[str, object] = {"id": id, "subject": subject, "hash": ""}
    if wanted:
        entry["scopes"] = wanted
    entry["created"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if expires is not None:
        entry["expires"] = _time(expires)
    return entry


def _time(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise output.misuse(
            f"`{text}` is no time", "for example `--expires 2027-01-31` or `2027-01-31T12:00:00Z`"
        ) from None
    moment = moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    if moment.timestamp() <= time.time():
        raise output.misuse(f"`{text}` is over already")
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _path(file: str | None) -> Path:
    """The file that is meant: the one named, or the one that the project's sources name."""
    if file is not None:
        path = Path(file)
        if path.is_dir():
            raise output.misuse(f"`{file}` is a directory; expected a file")
        return path
    root = find_root(Path.cwd())
    if root is None:
        message, _ = no_project(Path.cwd(), "no gsws project here or above")
        raise output.Failure(message, "name the file with `--file keys.yaml`")
    named = set(_readers(root).values()) - {""}
    if len(named) > 1:
        raise output.misuse(f"the sources name several files: {', '.join(sorted(named))}", "choose one with `--file`")
    return root / (named.pop() if named else _DEFAULT)


def _readers(root: Path) -> dict[str, str]:
    """The file of API keys of every source by the source's own file; empty if it could and does not."""
    found = {}
    for source in load_project(root).sources.values():
        authn = source.written.get("authn")
        keys = authn.get("api_keys") if isinstance(authn, dict) else None
        file = keys.get("file") if isinstance(keys, dict) else None
        if source.type == "websocket" or authn is not None:
            found[source.path] = file if isinstance(file, str) else ""
    return found


def _tell_unread(path: Path) -> None:
    """Say what a source needs, if none of this project reads the file."""
    root = find_root(Path.cwd())
    if root is None:
        return
    readers = _readers(root)
    if any(file and (root / file).resolve() == path.resolve() for file in readers.values()):
        return
    try:
        name = path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        name = str(path.resolve())
    where = " or ".join(f"`{place}`" for place in readers) or "a file in `eventsources/`"
    text = f"  no source reads these keys yet: write `authn: {{api_keys: {{file: {name}}}}}` into {where}"
    output.note(output.plain(text))


def _read(path: Path) -> tuple[ApiKey, ...]:
    try:
        return read_keys(path)
    except GrantFileError as error:
        raise output.Failure(str(error)) from None


def _shown(path: Path) -> str:
    try:
        return output.plain(path.resolve().relative_to(Path.cwd().resolve()).as_posix())
    except ValueError:
        return output.plain(str(path))


def _when(key: ApiKey) -> str | None:
    if key.expires is None:
        return None
    try:
        return datetime.fromtimestamp(key.expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return str(key.expires)


def _is_good(key: ApiKey) -> bool:
    return key.expires is None or key.expires > time.time()
