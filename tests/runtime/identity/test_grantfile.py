"""A file that decides who gets in: nothing that happens to a reading lets in whom the file does not."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest
import structlog

from gsws.runtime.identity.checking import CheckThreads
from gsws.runtime.identity.grantfile import GrantFile, GrantFileError
from gsws.runtime.identity.verdict import Unavailable


class Reader:
    """Reads a file, as slowly as the test wants, and fails when the test says so."""

    def __init__(self):
        self.reads = 0
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.failure = None

    def __call__(self, path):
        self.reads += 1
        text = path.read_text()
        assert self.may_go_on.wait(5)
        if self.failure is not None:
            raise self.failure
        return text


@pytest.fixture
def reader():
    return Reader()


def opened(path, reader, **more):
    return GrantFile(path, reader, CheckThreads(2, 64), structlog.get_logger(), what="the file", **more)


def run(work):
    return asyncio.run(asyncio.wait_for(work, 10))


def test_a_reading_that_is_given_up_is_done_again(tmp_path, reader):
    """T3: Whoever asked first and left has read nothing for those who ask later."""
    path = tmp_path / "f"
    path.write_text("before")

    async def work():
        file = opened(path, reader)
        assert await file.current() == "before"
        path.write_text("after!")
        reader.may_go_on.clear()
        visitor = asyncio.ensure_future(file.refresh())
        await asyncio.sleep(0.05)
        visitor.cancel()
        await asyncio.wait({visitor})
        assert visitor.cancelled()
        reader.may_go_on.set()
        assert await file.current() == "after!"

    run(work())


@pytest.mark.parametrize("failure", [OSError(5, "broken"), GrantFileError("wrong"), RecursionError(), SystemError("x")])
def test_a_reading_that_fails_is_done_again_and_says_nothing_meanwhile(tmp_path, reader, failure):
    path = tmp_path / "f"
    path.write_text("before")

    async def work():
        file = opened(path, reader, absent="nothing")
        assert await file.current() == "before"
        path.write_text("after")
        reader.failure = failure
        for _ in range(3):
            with pytest.raises(Unavailable):
                await file.current()
        reader.failure = None
        await asyncio.sleep(0.3)
        assert await file.current() == "after"  # and nothing happened to the file

    run(work())


def test_size_and_time_may_be_the_same(tmp_path, reader):
    """A change within the clock's tick, or with the time set back, is a change."""
    path = tmp_path / "f"
    path.write_text("one")

    async def work():
        file = opened(path, reader)
        assert await file.current() == "one"
        facts = path.stat()
        path.write_text("two")
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        assert await file.current() == "two"

    run(work())


def test_a_file_that_has_come_to_rest_is_not_read_again(tmp_path, reader, monkeypatch):
    path = tmp_path / "f"
    path.write_text("one")

    async def work():
        file = opened(path, reader)
        assert [await file.current() for _ in range(5)] == ["one"] * 5
        assert reader.reads == 1

    monkeypatch.setattr("gsws.runtime.identity.grantfile._FRESH", -1.0)
    run(work())


def test_another_file_in_its_place(tmp_path, reader):
    """Renamed over, removed and made again, behind a link that leads elsewhere now."""
    path, link = tmp_path / "f", tmp_path / "link"
    path.write_text("one")
    link.symlink_to(path)

    async def work():
        file = opened(link, reader, absent="none")
        assert await file.current() == "one"
        (tmp_path / "new").write_text("two")
        (tmp_path / "new").rename(path)
        assert await file.current() == "two"
        path.unlink()
        assert await file.current() == "none"
        path.write_text("six")
        await asyncio.sleep(0.3)
        assert await file.current() == "six"
        (tmp_path / "other").write_text("ten")
        link.unlink()
        link.symlink_to(tmp_path / "other")
        assert await file.current() == "ten"

    run(work())


def test_a_crowd_costs_two_readings(tmp_path, reader):
    """One that may have begun too early for some, and one for them."""
    path = tmp_path / "f"
    path.write_text("one")

    async def work():
        file = opened(path, reader)
        assert await asyncio.gather(*(file.current() for _ in range(200))) == ["one"] * 200
        assert reader.reads <= 2

    run(work())


def test_a_version_is_another_for_everybody(tmp_path, reader):
    """Reading takes nothing from those who look later."""
    path = tmp_path / "f"
    path.write_text("one")

    async def work():
        file = opened(path, reader)
        await file.refresh()
        seen = file.version
        path.write_text("other")
        for _ in range(3):
            await file.refresh()
        assert file.version == seen + 1

    run(work())
