"""Looking at a project's files once more, beside the running service; a look that does not end is broken off."""

from __future__ import annotations

import ctypes
import threading
from pathlib import Path
from typing import Final

from gsws.plugins.registry import facts
from gsws.project import Project, ProjectCache, load_project
from gsws.project.files.environment import parse_dotenv

__all__ = ["DOTENV", "Check", "CheckTakesTooLong", "read_dotenv"]

DOTENV: Final = ".env"


class CheckTakesTooLong(Exception):
    """A project was looked at for ``seconds``, and there was no end of it."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds

    def __str__(self) -> str:
        return f"checking the project took longer than {self.seconds:g} s and was given up"


class Check:
    """One load of a project, to be run in a thread."""

    def __init__(self, root: Path, env: str, cache: ProjectCache) -> None:
        self._root = root
        self._env = env
        self._cache = cache
        self._thread: int | None = None

    def run(self) -> Project:
        """Load the project."""
        self._thread = threading.get_ident()
        try:
            return load_project(self._root, env=self._env, plugins=facts(), cache=self._cache)
        finally:
            self._thread = None

    def break_off(self) -> None:
        """Raise an exception in its thread; what is written in Python ends by it."""
        if self._thread is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread), ctypes.py_object(_BrokenOff))


class _BrokenOff(BaseException):
    """Ends a check that nobody waits for any more."""


def read_dotenv(root: Path) -> dict[str, str]:
    """The variables that ``.env`` itself gives, whatever the process's environment says."""
    try:
        return parse_dotenv(DOTENV, (root / DOTENV).read_bytes(), {})[0]
    except OSError:
        return {}
