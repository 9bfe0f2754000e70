"""
Reading what may take long, or much memory, in a process of its own that is ended at a deadline.

PDF and large files are foreign data for libraries that nobody can interrupt: a document that is not read in time fails
alone, and neither the service nor the other documents wait for it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO, Final, Self

import msgspec

from gsws.ai.retrieval.readers.blocks import Content, Unreadable

__all__ = ["Apart", "is_quick", "serve"]

READ_SECONDS: Final = 30.0
"""For one document, the start of the process included."""
_QUICK_BYTES: Final = 64 * 2**10
_MEMORY: Final = 2 * 2**30
_PROGRAM: Final = "from gsws.ai.retrieval.readers.apart import serve; serve()"


class _Request(msgspec.Struct):
    path: str
    size: int


class _Reply(msgspec.Struct):
    content: Content | None = None
    reason: str = ""


def is_quick(path: str, raw: bytes) -> bool:
    """Whether a file is small and of a kind that is read in proportion to its size."""
    return len(raw) <= _QUICK_BYTES and not path.lower().endswith(".pdf")


class Apart:
    """
    The process, started for the first document that needs it, and once more after each that was given up.

    Args:
        seconds: How long one document may take.
    """

    def __init__(self, seconds: float = READ_SECONDS) -> None:
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def read(self, path: str, raw: bytes) -> Content:
        """
        Read one file, as `read_document` does.

        Raises:
            Unreadable: If it cannot be read, not in time, or not within the memory.
        """
        process = self._process or self._start()
        late = threading.Event()

        def give_up() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(self._seconds, give_up)
        timer.start()
        try:
            reply = _ask(process, path, raw)
        except (OSError, EOFError, ValueError, msgspec.MsgspecError):
            self._end()
            reason = f"took longer than {self._seconds:g} s to read" if late.is_set() else "its reader failed"
            raise Unreadable(reason) from None
        finally:
            timer.cancel()
        if reply.content is None:
            raise Unreadable(reply.reason)
        return reply.content

    def _start(self) -> subprocess.Popen[bytes]:
        # Not from the working directory: nothing there is to be imported.
        self._process = subprocess.Popen(  # noqa: S603  # this interpreter and a constant
            [sys.executable, "-P", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is the service's business
        )
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                assert pipe is not None
                pipe.close()
        process.wait()


def _ask(process: subprocess.Popen[bytes], path: str, raw: bytes) -> _Reply:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(msgspec.json.encode(_Request(path, len(raw))) + b"\n")
    process.stdin.write(raw)
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise EOFError
    return msgspec.json.decode(line, type=_Reply)


def serve() -> None:
    """Answer requests on stdin until it ends; the other side of `Apart`."""
    # What a library prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    _bound_memory()
    requests = sys.stdin.buffer
    while line := requests.readline():
        request = msgspec.json.decode(line, type=_Request)
        _end_in_time()
        answers.write(msgspec.json.encode(_read(request, requests)) + b"\n")
        answers.flush()


def _read(request: _Request, requests: IO[bytes]) -> _Reply:
    from gsws.ai.retrieval.readers import read_document

    try:
        return _Reply(read_document(request.path, requests.read(request.size)))
    except Unreadable as error:
        return _Reply(reason=str(error))
    except MemoryError:
        return _Reply(reason="needs too much memory")


def _bound_memory() -> None:
    with suppress(ImportError, ValueError, OSError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, most))


def _end_in_time() -> None:
    """Be gone by oneself if the service is: it ends this process earlier than that."""
    import signal

    if hasattr(signal, "alarm"):
        signal.alarm(int(2 * READ_SECONDS))
