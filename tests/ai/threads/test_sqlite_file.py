"""The file of a store: whose it is, what is refused, and that nothing foreign is overwritten."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from gsws.ai import ThreadStore
from gsws.ai.threads import ThreadStoreError
from tests.ai.threads.support import answering, opened, said, turn, within


def refusal(path) -> str:
    """What opening says of a file that cannot be used."""

    async def main():
        with pytest.raises(ThreadStoreError) as caught:
            await ThreadStore.open(path)
        return str(caught.value)

    return within(main())


def a_store(path, turns: int = 1, text: str = "an answer") -> None:
    async def main():
        async with opened(path) as store:
            for number in range(turns):
                await turn(answering(store, text), f"question {number}", thread=f"{number}")

    within(main())


def test_a_new_file_is_its_owners_alone(tmp_path):
    """Folder and file are made; nobody else may read them, and git leaves them alone."""
    path = tmp_path / "deep" / ".gsws" / "threads.sqlite"

    a_store(path)

    assert path.stat().st_mode & 0o777 == 0o600
    assert (path.parent / ".gitignore").read_text() == ".gitignore\n/threads.sqlite*\n"
    subprocess.run(["git", "init", "-q", tmp_path], check=True, timeout=30)
    status = ["git", "-C", tmp_path, "status", "--porcelain", "--untracked-files=all"]
    assert subprocess.run(status, capture_output=True, text=True, check=True, timeout=30).stdout == ""


def test_a_folder_of_the_users_own_is_left_alone(tmp_path):
    """Only a folder named `.gsws` is gsws's to put an ignore file into, and only if it has none."""
    a_store(tmp_path / "threads.sqlite")
    (tmp_path / ".gsws").mkdir()
    (tmp_path / ".gsws" / ".gitignore").write_text("*\n")
    a_store(tmp_path / ".gsws" / "threads.sqlite")

    assert not (tmp_path / ".gitignore").exists()
    assert (tmp_path / ".gsws" / ".gitignore").read_text() == "*\n"


def test_a_file_of_something_else_is_refused_untouched(tmp_path):
    """Text, another database and a folder are named and stay as they are."""
    text = tmp_path / "notes.txt"
    text.write_text("dear diary")
    other = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE checkpoints (id INTEGER)")
        connection.commit()
    before = other.read_bytes()

    assert refusal(text) == (
        f"the file of threads `{text}` is no SQLite file (name another file; this one is left as it is)"
    )
    assert refusal(other).startswith(f"the file of threads `{other}` holds something else: no table `checkpoints`")
    assert refusal(tmp_path) == f"the file of threads `{tmp_path}` is no file, but a folder or a device"
    assert text.read_text() == "dear diary"
    assert other.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "other.sqlite"]


def test_a_damaged_file_is_refused_untouched(tmp_path):
    """Pages that were overwritten, and a file that was cut, are found at the start."""
    path = tmp_path / "threads.sqlite"
    a_store(path, turns=20, text="x" * 10_000)
    good = path.read_bytes()
    holes = bytearray(good)
    for page in range(2, len(good) // 4096, 3):
        holes[page * 4096 : page * 4096 + 2000] = os.urandom(2000)
    for bad in (bytes(holes), good[: len(good) // 2]):
        path.write_bytes(bad)

        assert refusal(path) == (
            f"the file of threads `{path}` is damaged (restore it, or move it away; it is left as it is)"
        )
        assert path.read_bytes() == bad


def test_a_file_of_a_newer_version_is_refused(tmp_path):
    """An older gsws does not write into tables that it does not know."""
    path = tmp_path / "threads.sqlite"
    a_store(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 2")

    assert refusal(path) == f"the file of threads `{path}` was written by a newer gsws (update gsws)"


def test_a_place_where_nothing_can_be_made_is_told(tmp_path):
    """The sentence has the reason."""
    (tmp_path / "file").write_text("")

    assert refusal(tmp_path / "file" / "x.sqlite").endswith(f"cannot be made: `{tmp_path}/file` is a file")
    assert refusal(tmp_path / ("x" * 300)).endswith("cannot be made: File name too long")


def test_an_empty_file_becomes_a_store(tmp_path):
    """A file that was made beforehand, to give it an owner, is used."""
    path = tmp_path / "threads.sqlite"
    path.touch()

    a_store(path)

    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_read_only_file_is_told():
    """A user who may read but not write learns so at the start."""
    code = (
        "import asyncio, os, sys\n"
        "from gsws.ai import ThreadStore\n"
        "from gsws.ai.threads import ThreadStoreError, sqlite\n"  # imported before the rights are gone
        "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"  # root may write everywhere
        "try: asyncio.run(ThreadStore.open(sys.argv[1]))\n"
        "except ThreadStoreError as error: print(error)\n"
    )
    # Not pytest's folder, which other sessions of pytest close to other users again.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "threads.sqlite"
        a_store(path)
        path.chmod(0o444)
        done = subprocess.run(
            [sys.executable, "-c", code, path], capture_output=True, text=True, timeout=60, check=False
        )

    assert done.stdout == (
        f"the file of threads `{path}` cannot be written: it is read-only (check who owns the file and its folder)\n"
    ), done.stderr


def test_a_file_in_use_is_waited_for_at_the_start(tmp_path):
    """Two processes that start at once on a new file both get it."""
    code = (
        "import asyncio, sys\n"
        "from tests.ai.threads.support import answering, opened, turn\n"
        "async def main():\n"
        "    async with opened(sys.argv[1]) as store:\n"
        "        for number in range(15): await turn(answering(store), f'{number}', sys.argv[2])\n"
        "asyncio.run(main())\n"
    )
    path = tmp_path / "threads.sqlite"
    running = [
        subprocess.Popen([sys.executable, "-c", code, path, name], stderr=subprocess.PIPE, text=True)
        for name in ("ann", "bob", "cem")
    ]
    for process in running:
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")

    async def main():
        async with opened(path) as store:
            return [len(await said(answering(store), name)) for name in ("ann", "bob", "cem")]

    assert within(main()) == [30, 30, 30]
