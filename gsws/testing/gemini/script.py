"""
Which turn answers which request: rules first, then the script in its order, then a function, then what is plausible.

Called by the server's thread, filled by the test's; a script may be read from a YAML file.
"""

from __future__ import annotations

import inspect
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from gsws.testing.gemini.plausible import plausible_turn
from gsws.testing.gemini.request import Request
from gsws.testing.gemini.turn import Turn, TurnError, turn_from
from gsws.yaml.reading import parse_yaml

__all__ = ["Answering", "Script", "Scripted", "read_script"]

Answering: TypeAlias = Callable[[Request], "Turn | str | Awaitable[Turn | str | None] | None"]
"""A function that makes a turn of a request; None leaves it to what comes next."""

Scripted: TypeAlias = Turn | str | Answering
"""A turn, a text as one, or a function that makes one."""


@dataclass(slots=True)
class _Rule:
    matches: Callable[[Request], bool]
    turns: deque[Scripted]

    def next(self) -> Scripted:
        """The turns in order; the last one stays."""
        return self.turns.popleft() if len(self.turns) > 1 else self.turns[0]


class Script:
    """
    The turns to come.

    Args:
        answer: Answers what rules and script do not.
    """

    def __init__(self, answer: Answering | None = None) -> None:
        self._answer = answer
        self._order: deque[Scripted] = deque()
        self._rules: list[_Rule] = []
        self._lock = threading.RLock()

    @property
    def left(self) -> int:
        """How many turns of the order were not asked for yet."""
        return len(self._order)

    def add(self, *turns: Scripted) -> None:
        """Put turns behind those to come."""
        with self._lock:
            self._order.extend(_checked(turn) for turn in turns)

    def add_rule(self, matches: str | Callable[[Request], bool], model: str | None, *turns: Scripted) -> None:
        """Answer requests that match with these turns; of several the last one stays."""
        if not turns:
            raise TurnError("a rule needs a turn")
        rule = _Rule(_matcher(matches, model), deque(_checked(turn) for turn in turns))
        with self._lock:
            self._rules.append(rule)

    def clear(self) -> None:
        """Forget order and rules."""
        with self._lock:
            self._order.clear()
            self._rules.clear()

    async def turn(self, request: Request) -> Turn:
        """The turn for a request."""
        for scripted in self._candidates(request):
            made = scripted(request) if callable(scripted) else scripted
            turn = await made if inspect.isawaitable(made) else made
            if turn is not None:
                return Turn(turn) if isinstance(turn, str) else _a_turn(turn)
        return plausible_turn(request)

    def _candidates(self, request: Request) -> list[Scripted]:
        found: list[Scripted] = []
        with self._lock:
            for rule in self._rules:
                if rule.matches(request):
                    found.append(rule.next())
                    break
            else:
                if self._order:
                    found.append(self._order.popleft())
        if self._answer is not None:
            found.append(self._answer)
        return found


def read_script(path: Path, answer: Answering | None = None) -> Script:
    """
    A script from a YAML file: a list of turns in order; one with ``when`` (a text) or ``model`` is a rule.

    Raises:
        TurnError: Naming file and line.
        OSError: It cannot be read.
    """
    document = parse_yaml(str(path), path.read_bytes())
    if (failure := document.failure()) is not None:
        raise TurnError(failure)
    if not isinstance(document.data, list):
        raise TurnError(f"{path}: a script is a list of turns")
    script = Script(answer)
    for number, value in enumerate(document.data, 1):
        try:
            _add(script, value)
        except TurnError as error:
            line = document.value_span((number - 1,)).line
            raise TurnError(f"{path}:{line}: turn {number}: {error}") from None
    return script


def _add(script: Script, value: Any) -> None:
    """Put one item of a file into the script."""
    if not isinstance(value, dict):
        script.add(turn_from(value))
        return
    when, model = value.get("when"), value.get("model")
    for name, text in (("when", when), ("model", model)):
        if text is not None and not isinstance(text, str):
            raise TurnError(f"`{name}` is a text, not {text!r}")
    turn = turn_from({name: item for name, item in value.items() if name not in ("when", "model")})
    if when is None and model is None:
        script.add(turn)
    else:
        script.add_rule(when or "", model, turn)


def _matcher(matches: str | Callable[[Request], bool], model: str | None) -> Callable[[Request], bool]:
    def check(request: Request) -> bool:
        if model is not None and request.model != model.removeprefix("models/"):
            return False
        if callable(matches):
            return bool(matches(request))
        return matches.lower() in request.question.lower()

    return check


def _checked(turn: Any) -> Scripted:
    return turn if callable(turn) or isinstance(turn, str) else _a_turn(turn)


def _a_turn(turn: Any) -> Turn:
    if not isinstance(turn, Turn):
        raise TurnError(f"a turn is a `Turn`, a text or a function, not {turn!r}")
    return turn
