"""Lines wait in a bounded queue, whoever reads; those who log never do."""

from __future__ import annotations

import os
import threading

import pytest

from gsws.observability.writer import LogWriter, Repeats


class Pipe:
    """Both ends of a pipe, and who writes into it."""

    def __init__(self):
        self.reading, self.writing = os.pipe()
        self.writers = []

    def writer(self, **options):
        self.writers.append(LogWriter(self.writing, **options))
        return self.writers[-1]

    def leave(self, end):
        """Nobody is at an end any more; its number stays taken, for a writer goes on with it."""
        with open(os.devnull, "r+b") as nowhere:
            os.dup2(nowhere.fileno(), end)

    def close(self):
        self.leave(self.writing)
        self.leave(self.reading)
        for writer in self.writers:
            assert writer.finish(15)
        os.close(self.reading)
        os.close(self.writing)


@pytest.fixture
def pipe():
    ends = Pipe()
    yield ends
    ends.close()


def drained(reading):
    """Everything from a pipe, in the background, until its other end is closed."""
    pieces = []

    def read():
        while piece := os.read(reading, 65536):
            pieces.append(piece)

    thread = threading.Thread(target=read)
    thread.start()
    return pieces, thread


def told(count):
    return f"dropped {count}\n".encode()


def test_what_nobody_reads_waits_up_to_a_bound_and_then_is_dropped_and_told(pipe):
    """50,000 lines into a dead pipe: the caller goes on, what fits arrives in order, the rest is counted."""
    writer = pipe.writer(told=told, lines=1000)
    for number in range(50_000):
        writer.write(b"%06d %s\n" % (number, b"x" * 93))
    assert not writer.finish(0.1)
    assert writer.dropped > 48_000
    pieces, thread = drained(pipe.reading)
    assert writer.finish(5)
    writer.write(b"last\n")
    assert writer.finish(5)
    pipe.leave(pipe.writing)
    thread.join(5)
    *lines, last = b"".join(pieces).decode().splitlines()
    assert last == "last"
    notes = [line for line in lines if line.startswith("dropped")]
    assert sum(int(note.split()[1]) for note in notes) == writer.dropped
    numbers = [int(line.split()[0]) for line in lines if not line.startswith("dropped")]
    assert numbers == sorted(numbers)
    assert len(numbers) + writer.dropped == 50_000


def test_bytes_are_bounded_too(pipe):
    writer = pipe.writer(size=1_000_000)
    for _ in range(100):
        writer.write(b"x" * 99_999 + b"\n")
    assert writer.dropped >= 88


def test_only_whole_lines_stand_in_a_pipe_that_is_left(pipe):
    """A reader that comes after the end finds no half of a line."""
    writer = pipe.writer()
    for _ in range(500):
        writer.write(b"y" * 999 + b"\n")
    assert not writer.finish(0.2)
    found = os.read(pipe.reading, 2**20)
    assert found.endswith(b"y\n")
    assert set(found.splitlines()) == {b"y" * 999}


def test_a_reader_that_is_gone_costs_nothing_but_the_lines(pipe):
    pipe.leave(pipe.reading)
    writer = pipe.writer()
    for _ in range(100):
        writer.write(b"lost\n")
    assert writer.finish(5)
    assert writer.dropped == 100


def test_a_file_gets_everything(tmp_path):
    with (tmp_path / "log").open("wb") as file:
        writer = LogWriter(file.fileno())
        for number in range(5000):
            writer.write(b"%d\n" % number)
        assert writer.finish(5)
    assert (tmp_path / "log").read_bytes() == b"".join(b"%d\n" % number for number in range(5000))


def test_a_child_process_writes_by_itself(pipe):
    """The thread is not there after a fork, and what waits is the parent's."""
    writer = pipe.writer()
    writer.write(b"parent\n")
    assert writer.finish(5)
    child = os.fork()
    if child == 0:
        writer.write(b"child\n")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(pipe.reading, 4096) == b"parent\nchild\n"


def test_equal_lines_are_summed():
    """A hundred in ten seconds are written; others are not held up by them."""
    repeats = Repeats()
    assert [repeats.is_too_many("same") for _ in range(250)].count(False) == 100
    assert not repeats.is_too_many("another")
    assert repeats.over(all=True) == [("same", 150)]
    assert not repeats.is_too_many("same")
    assert repeats.over(all=True) == []


def test_the_lines_that_are_remembered_are_bounded():
    repeats = Repeats(most=1)
    assert not any(repeats.is_too_many(str(number)) for number in range(100_000))
    assert len(repeats._counts) <= 1000
