"""Terminal frames that are no doing of a handler: refused for want of a place, or ended from outside."""

from __future__ import annotations

from gsws.runtime.requests.request import Request

__all__ = ["last_frame", "too_many"]


def too_many(request: Request) -> bytes | None:
    """Refuse one stream or parallel request too many (P9.2)."""
    text = "too many requests are queued or running"
    return request.answer.error("too_many_requests", text, retry_after_ms=1000)


def last_frame(request: Request, reason: str) -> bytes | None:
    """Make the terminal frame of an aborted request: streams end, plain handlers time out as errors."""
    answer = request.answer
    if reason == "disconnected":
        return None
    if reason == "timeout" and not request.route.streams:
        return answer.error("timeout", f"`{request.route.key}` took longer than {request.route.timeout:g} s")
    if reason == "draining":
        # Neither called nor about to be: whoever sends it again does nothing twice.
        was_taken = request.is_running or request.task is not None or request.generator is not None
        if not request.route.streams:
            return answer.error("draining", "the server is shutting down; reconnect", taken=was_taken)
        return answer.end("draining", None if was_taken else {"taken": False})
    if reason in ("cancelled", "superseded") and answer.id is None and not request.route.streams:
        return None
    return answer.end(reason)  # type: ignore[arg-type]  # one of EndReason by now
