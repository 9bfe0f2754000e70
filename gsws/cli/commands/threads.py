"""`gsws threads list | delete | expire`: what conversations are kept, for whom, and getting rid of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from gsws.cli import output
from gsws.cli.current_project import check_files, load_current
from gsws.cli.suggest import did_you_mean
from gsws.project import Project
from gsws.project.shapes.units import duration
from gsws.project.specs import DatasourceSpec

if TYPE_CHECKING:
    from gsws.ai.threads import ThreadStore

__all__ = ["Where", "delete", "expire", "show"]

T = TypeVar("T")

_TYPE: Final = "threads"
_MAX_SHOWN: Final = 1_000


@dataclass(frozen=True, slots=True)
class Where:
    """
    Which store is meant.

    Attributes:
        url: The store itself; None takes the project's.
        source: Name of the datasource; None takes the only one of type ``threads``.
        env: Environment whose config is read.
    """

    url: str | None = None
    source: str | None = None
    env: str = "development"


@dataclass(frozen=True, slots=True)
class _Found:
    url: str
    base: Path
    expire_after: float


def show(where: Where, *, subject: str | None, limit: int, as_json: bool) -> int:
    """
    Show who has threads, or the threads of one subject.

    Raises:
        Failure: If there is no store, or it cannot be read.
    """
    _check_subject(subject)
    found = _find(where)
    limit = max(1, min(limit, _MAX_SHOWN))
    if subject is None:
        subjects = _with(found, lambda store: store.subjects(limit=limit))
        if as_json:
            return output.result_json({"ok": True, "subjects": subjects})
        rows = [(_name(one["subject"]), str(one["threads"]), one["updated"]) for one in subjects]
        output.table(("subject", "threads", "updated"), rows)
        return output.GOOD
    threads = _with(found, lambda store: store.threads(subject, limit=limit))
    if as_json:
        return output.result_json({"ok": True, "subject": subject, "threads": threads})
    output.table(
        ("thread", "messages", "updated", "title"),
        [(_name(one["thread"]), str(one["messages"]), one["updated"], one["title"]) for one in threads],
    )
    return output.GOOD


def delete(where: Where, *, subject: str, thread: str | None, yes: bool, as_json: bool) -> int:
    """
    Delete a thread of a subject, or all of them; asks on a terminal.

    Raises:
        Failure: If nobody can be asked, or the store cannot be written.
    """
    _check_subject(subject)
    if thread == "":
        raise output.misuse("a thread's name has at least one character")
    found = _find(where)
    what = f"thread `{thread}` of `{subject}`" if thread is not None else f"all threads of `{subject}`"
    unasked = output.Failure(f"{what} would be deleted for good", "`--yes` does it")
    if not (yes or output.confirmed(f"Delete {what} for good?", unasked)):
        return output.FAILED
    return _deleted(_with(found, lambda store: store.delete(subject, thread)), as_json)


def expire(where: Where, *, older_than: str | None, as_json: bool) -> int:
    """
    Delete the threads that were last used so long ago.

    Raises:
        Failure: Exit 2 for a time that is none; 1 if the store cannot be written.
    """
    found = _find(where)
    seconds = found.expire_after if older_than is None else duration(older_than)
    if not seconds:
        raise output.misuse(
            f"`{older_than}` is no duration" if older_than else "nothing says how old a thread may be",
            "for example `--older-than 30d`",
        )

    async def work(store: ThreadStore) -> int:
        await store.prune()
        return await store.expire(seconds)

    return _deleted(_with(found, work), as_json)


def _deleted(count: int, as_json: bool) -> int:
    if as_json:
        output.result_json({"ok": True, "deleted": count})
    else:
        output.result(f"deleted {count} thread{'' if count == 1 else 's'}")
    return output.GOOD


def _find(where: Where) -> _Found:
    if where.url is not None:
        return _Found(where.url, Path.cwd(), 0.0)
    project = load_current(where.env)
    spec = _spec(project, where.source)
    check_files(project, {spec.path})  # a look-up that failed leaves its own text in place of the address
    config = spec.config
    url = str(config["url"])
    if not url.startswith(("postgres://", "postgresql://")) and "memory:" in url:
        raise output.Failure("these threads are kept in the memory of the service alone")
    return _Found(url, project.base, duration(config.get("expire_after")) or 0.0)


def _spec(project: Project, name: str | None) -> DatasourceSpec:
    stores = {known: spec for known, spec in project.datasources.items() if spec.type == _TYPE}
    if name is not None and name not in stores:
        raise output.misuse(f"no datasource `{name}` of type `threads` in this project", did_you_mean(name, stores))
    if not stores:
        raise output.Failure(
            "no datasource of type `threads` in this project",
            "`gsws plugin add threads` writes one; `--url` names a store without a project",
        )
    if name is None and len(stores) > 1:
        raise output.misuse(f"there are several stores: {', '.join(sorted(stores))}", "choose one with `--source`")
    return stores[name if name is not None else next(iter(stores))]


def _with(found: _Found, work: Callable[[ThreadStore], Awaitable[T]]) -> T:
    """
    Open the store, work on it, close it.

    Raises:
        Failure: Exit 4 if the extra is not installed, else 1.
    """
    from gsws.ai.threads import ThreadStore, ThreadStoreError

    async def main() -> T:
        store = await ThreadStore.open(found.url, base=found.base, create=False)
        try:
            return await work(store)
        finally:
            await store.aclose()

    try:
        return asyncio.run(main())
    except ThreadStoreError as error:
        missing = error.is_missing_package
        raise output.Failure(
            error.message, error.help, exit_code=output.ENVIRONMENT if missing else output.FAILED
        ) from None


def _check_subject(subject: str | None) -> None:
    if subject == "":
        raise output.misuse("a subject has at least one character")


def _name(name: str | None) -> str:
    return name if name is not None else "(too long to be shown)"
