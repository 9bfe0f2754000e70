"""Which changes concern a project."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gsws.reload.watch import is_watched, watch

ROOT = Path("/app")


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        "gsws.yaml",
        "events/a.yml",
        "events/public/a.yaml",
        "functions/build/handler.py",
        "functions/dist",
        "src/events/a.yaml",
        "helper/rag.py",
    ],
)
def test_what_is_loaded_is_watched(path):
    """`public`, `build` and such are names like any other inside the folders that are loaded."""
    assert is_watched(ROOT / path, ROOT)


@pytest.mark.parametrize(
    "path",
    [
        "public/app.json",
        "src/public/app.json",
        "build/lib/a.py",
        "venv/lib/a.py",
        ".venv/lib/a.py",
        "env/lib/site-packages/a/b.py",
        "functions/__pycache__",
        "functions/__pycache__/a.py",
        "functions/.a.py.swp",
        "functions/a.py~",
        "notes.txt",
        "../elsewhere/a.py",
    ],
)
def test_what_is_not_loaded_is_not_watched(path):
    assert not is_watched(ROOT / path, ROOT)


class Watching:
    """`watch` in a task; its batches, and what it logged."""

    def __init__(self, root):
        self.root = root
        self.seen = set()
        self.logs = []

    async def __aenter__(self):
        self._stop = asyncio.Event()
        self._capture = capture_logs()
        self.logs = self._capture.__enter__()
        self._task = asyncio.ensure_future(self._run())
        await asyncio.sleep(0.3)
        return self

    async def __aexit__(self, *_):
        self._stop.set()
        self._task.cancel()
        await asyncio.wait({self._task}, timeout=5)
        self._capture.__exit__(None, None, None)

    async def _run(self):
        async for batch in watch(self.root, self._stop):
            self.seen |= {os.fsencode(path) for path in batch}

    async def sees(self, path):
        async with asyncio.timeout(15):
            while os.fsencode(path) not in self.seen:
                assert not self._task.done(), self._task
                await asyncio.sleep(0.02)

    def write(self, name, text="x"):
        path = os.fsencode(self.root) + b"/" + (name if isinstance(name, bytes) else name.encode())
        with open(path, "w") as file:
            file.write(text)
        return os.fsdecode(path)


async def nothing(watching, root):
    del watching, root


async def name_that_is_not_utf8(watching, root):
    watching.write(b"functions/\xff.py")


async def name_that_is_not_utf8_beside(watching, root):
    watching.write(b"notes/\xff.txt")


async def folder_of_such_a_name(watching, root):
    os.mkdir(os.fsencode(root) + b"/functions/\xfe")


async def root_replaced(watching, root):
    root.rename(root.with_name("away"))
    shutil.copytree(root.with_name("away"), root)


async def root_gone_for_a_while(watching, root):
    root.rename(root.with_name("away"))
    await asyncio.sleep(4)
    shutil.copytree(root.with_name("away"), root)


async def loop_of_links(watching, root):
    (root / "functions/up").symlink_to("..")
    (root / "functions/self").symlink_to("self")


async def folder_replaced(watching, root):
    shutil.rmtree(root / "functions")
    (root / "functions").mkdir()


@pytest.mark.parametrize(
    "happens",
    [
        nothing,
        name_that_is_not_utf8,
        name_that_is_not_utf8_beside,
        folder_of_such_a_name,
        root_replaced,
        root_gone_for_a_while,
        loop_of_links,
        folder_replaced,
    ],
)
def test_changes_are_seen_whatever_happened_before(tmp_path, happens):
    """Notifications may end; then contents are compared, and that is said."""
    root = tmp_path.resolve() / "app"
    (root / "functions").mkdir(parents=True)
    (root / "notes").mkdir()

    async def main():
        async with Watching(root) as watching:
            await watching.sees(watching.write("functions/before.py"))
            await happens(watching, root)
            await asyncio.sleep(0.1)
            await watching.sees(watching.write("functions/after.py"))
            await watching.sees(watching.write("functions/after.py", "again"))
            return watching.logs

    logs = asyncio.run(main())
    told = [entry["event"] for entry in logs]
    if "utf8" in happens.__name__ or "such_a_name" in happens.__name__ or "root" in happens.__name__:
        assert told == ["no file notifications; comparing contents instead"]
    else:
        assert told == []


@pytest.mark.parametrize(
    "error", [OSError(28, "no space left on device"), RuntimeError("boom"), ExceptionGroup("g", [OSError("limit")])]
)
def test_a_watcher_that_cannot_begin_is_replaced(tmp_path, monkeypatch, error):
    """As where no inotify watches are left."""

    async def broken(*_, **__):
        raise error
        yield

    monkeypatch.setattr("gsws.reload.watch.awatch", broken)
    root = tmp_path.resolve()

    async def main():
        async with Watching(root) as watching:
            await watching.sees(watching.write("a.py"))
            return watching.logs

    (entry,) = asyncio.run(main())
    assert entry["reason"] in str(error) or entry["reason"] == "limit"


def test_notifications_that_miss_a_change_are_given_up(tmp_path, monkeypatch):
    """A disk of another machine tells nothing."""

    async def deaf(*_, **__):
        while True:
            await asyncio.sleep(0.05)
            yield set()

    monkeypatch.setattr("gsws.reload.watch.awatch", deaf)
    monkeypatch.setattr("gsws.reload.watch._AUDIT_SECONDS", 0.1)
    root = tmp_path.resolve()

    async def main():
        async with Watching(root) as watching:
            await watching.sees(watching.write("a.py"))
            return watching.logs

    assert [entry["reason"] for entry in asyncio.run(main())] == ["changes were not told of"]
