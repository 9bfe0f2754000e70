"""
The order of attempts of one model call: again after a pause, then the next model, then the error.

Nothing here calls a model or sleeps; `gsws.ai.models.resilient` does.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gsws.ai.models.failures import ModelFailure, RetryAdvice

if TYPE_CHECKING:
    from gsws.ai.models.candidates import Candidate

__all__ = ["Attempts", "RetryPolicy"]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """
    How often and how long apart a model is asked again.

    Attributes:
        retries: Further attempts after the first, for each model.
        first_pause: Seconds before the second attempt; doubles each time, half of it random.
        longest_pause: Bound of a pause in seconds, also of what a provider asks for: whoever asks for more
            gets no further attempt, since a person waits for the answer.
    """

    retries: int = 2
    first_pause: float = 0.5
    longest_pause: float = 10.0

    def pause(self, retry: int, asked: float | None) -> float | None:
        """Seconds before retry number ``retry`` (from 0), or None if the provider asks for too long a wait."""
        if asked is not None and asked > self.longest_pause:
            return None
        backoff = min(self.longest_pause, self.first_pause * float(2**retry))
        # Jitter spreads the clients that one outage has put in step; never earlier than asked for.
        jittered = backoff * (0.5 + random.random() / 2)  # noqa: S311
        return max(asked or 0.0, jittered)


class Attempts:
    """The attempts of one call: `candidate` is to be asked next; `failed` moves on or raises."""

    __slots__ = ("_candidates", "_first_error", "_policy", "_position", "_retry")

    def __init__(self, candidates: tuple[Candidate, ...], policy: RetryPolicy) -> None:
        self._candidates = candidates
        self._policy = policy
        self._position = 0
        self._retry = 0
        self._first_error: BaseException | None = None

    @property
    def candidate(self) -> Candidate:
        """Whom to ask now."""
        return self._candidates[self._position]

    def failed(self, failure: ModelFailure) -> float:
        """
        Take in a failure that came before the first token.

        Returns:
            Seconds to wait before asking `candidate`, which may be another one now.

        Raises:
            Exception: When nothing is left to try: the last error of the first model, which is the one that the
                project chose; the others are in the log.
        """
        advice = failure.advice
        if advice is RetryAdvice.RETRY and self._retry < self._policy.retries:
            pause = self._policy.pause(self._retry, failure.retry_after)
            if pause is not None:
                self._retry += 1
                return pause
        if self._position == 0:
            self._first_error = failure.error
        if advice is not RetryAdvice.GIVE_UP and self._position + 1 < len(self._candidates):
            self._position += 1
            self._retry = 0
            return 0.0
        raise self._first_error or failure.error
