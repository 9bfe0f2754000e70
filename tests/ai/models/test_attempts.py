"""The order of attempts and the pauses between them, without a model or a clock."""

from __future__ import annotations

import pytest
from langchain_core.exceptions import ModelAPIError, ModelAuthenticationError, ModelNotFoundError

from gsws.ai.models.attempts import Attempts, RetryPolicy
from gsws.ai.models.candidates import Candidate
from gsws.ai.models.failures import ModelFailure, read_failure
from gsws.ai.models.offline import OfflineModel
from gsws.ai.models.spec import ModelSpec

POLICY = RetryPolicy(retries=2, first_pause=1.0, longest_pause=10.0)


def failure(error: Exception) -> ModelFailure:
    return read_failure(error, of_model=True)


def candidates(*names: str) -> tuple[Candidate, ...]:
    return tuple(Candidate(ModelSpec("openai", name), OfflineModel()) for name in names)


def test_pauses_double_and_half_of_each_is_random() -> None:
    """Retry n waits between half of first_pause * 2**n and all of it, up to the longest pause."""
    for retry, most in [(0, 1.0), (1, 2.0), (2, 4.0), (9, 10.0)]:
        pauses = [POLICY.pause(retry, None) or 0.0 for _ in range(200)]
        assert min(pauses) >= most / 2
        assert max(pauses) <= most
        assert len(set(pauses)) > 100


def test_a_pause_is_never_shorter_than_asked() -> None:
    """What the provider asks for is a floor; more than the longest pause is no further attempt."""
    assert POLICY.pause(0, 5.0) == 5.0
    assert POLICY.pause(0, 10.0) == 10.0
    assert POLICY.pause(0, 10.1) is None


def test_each_model_gets_its_retries_then_the_next_is_asked_at_once() -> None:
    """Two models with two retries are six attempts; the first model's error ends them."""
    attempts = Attempts(candidates("a", "b"), POLICY)
    errors = [ModelAPIError(str(number)) for number in range(6)]
    asked, pauses = [], []
    for error in errors[:5]:
        asked.append(attempts.candidate.spec.model)
        pauses.append(attempts.failed(failure(error)))
    asked.append(attempts.candidate.spec.model)

    with pytest.raises(ModelAPIError) as caught:
        attempts.failed(failure(errors[5]))

    assert asked == ["a", "a", "a", "b", "b", "b"]
    assert [pause == 0.0 for pause in pauses] == [False, False, True, False, False]
    assert caught.value is errors[2]


def test_a_missing_model_is_not_asked_twice() -> None:
    """It goes to the next model at once, and is the error if there is none."""
    attempts = Attempts(candidates("a", "b"), POLICY)

    assert attempts.failed(failure(ModelNotFoundError())) == 0.0
    assert attempts.candidate.spec.model == "b"
    with pytest.raises(ModelNotFoundError):
        Attempts(candidates("a"), POLICY).failed(failure(ModelNotFoundError()))


def test_a_refused_key_ends_the_call() -> None:
    """Also when there is another model."""
    with pytest.raises(ModelAuthenticationError):
        Attempts(candidates("a", "b"), POLICY).failed(failure(ModelAuthenticationError()))


def test_a_fallback_s_refused_key_is_told_as_the_first_model_s_error() -> None:
    """The answer is what is wrong with the chosen model; the fallback's failure is in the log."""
    attempts = Attempts(candidates("a", "b"), RetryPolicy(retries=0))
    first = ModelAPIError("first")
    attempts.failed(failure(first))

    with pytest.raises(ModelAPIError) as caught:
        attempts.failed(failure(ModelAuthenticationError("second")))

    assert caught.value is first
