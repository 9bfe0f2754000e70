"""`gsws call EVENT`: send one event as a plain client and print the answer as it streams."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import ssl
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import gsws.client
from gsws.cli import output
from gsws.cli.call_frames import call_frame
from gsws.cli.caller import Caller, Identity, caller
from gsws.cli.current_project import load_current
from gsws.cli.payload import payload
from gsws.cli.suggest import did_you_mean
from gsws.control.client import places_of
from gsws.project import Project, SourceSpec, find_root
from gsws.project.network import dialled
from gsws.protocol.answer import TERMINAL
from gsws.protocol.codec import Unserialisable
from gsws.text.urls import without_secrets

__all__ = ["Identity", "run"]

_LARGEST_FRAME = 2**26
_REFUSED: Mapping[int, tuple[str, str]] = {
    401: ("wants to know who calls", "`--token` or `--api-key` says so; `gsws keys add` makes a key"),
    403: ("does not let this caller in", "another `--token`, `--api-key` or `-H 'Origin: …'` may be let in"),
    404: ("is no WebSocket path there", "`path` in the source's YAML says which one is"),
    429: ("has had too many connections from here", "try again in a moment"),
    503: ("takes no connections now", "it is starting or shutting down; try again in a moment"),
}

_UNAUTHORIZED: Final = 401
_OTHER_CREDENTIAL: Final = (
    "it is unknown, revoked, over, or of a kind that the source does not take; the log of the service says why"
)


@dataclass(slots=True)
class _Answer:
    """What came back: every frame, and the last one, which ends the request."""

    frames: list[Any] = field(default_factory=list)
    last: dict[str, Any] | None = None
    text: bool = False  # chunks were printed and the line is not ended yet

    @property
    def good(self) -> bool:
        if self.last is None or self.last["eventtype"] == "stream.error":
            return False
        return bool(self.last["eventtype"] == "reply" or self.last["payload"].get("reason", "complete") == "complete")


@dataclass(frozen=True, slots=True)
class _Target:
    url: str
    tls: ssl.SSLContext | None
    known: tuple[str, ...]
    root: Path | None = None


def run(
    event: str,
    values: Sequence[str],
    *,
    file: str | None,
    url: str | None,
    id: str | None,
    identity: Identity,
    timeout: float,
    as_json: bool,
) -> int:
    """
    Send one event with an id and print its answer up to the last frame.

    Text of chunks and data of replies go to stdout, everything else to stderr.

    Raises:
        Failure: Exit 2 for arguments, 1 if nothing listens or no answer comes.
    """
    if not 0 < timeout < 1e9:
        raise output.misuse("the timeout is a number of seconds above 0")
    if id is not None and (not 1 <= len(id) <= 64 or any("\ud800" <= one <= "\udfff" for one in id)):
        raise output.misuse("an id has 1 to 64 characters of Unicode")
    target = _target(event, url)
    who = caller(identity, root=target.root, url=target.url)
    id = id or f"call-{secrets.token_hex(4)}"
    body = payload(values, file)
    answer = _Answer()
    try:
        asyncio.run(_converse(target, who, event, body, id, answer, timeout, live=not as_json))
    except Unserialisable as error:
        raise output.misuse(f"the payload cannot be sent: {error}") from None
    except KeyboardInterrupt:
        _end_line(answer)
        return 130
    except output.Failure as failure:
        _end_line(answer)
        failure.facts |= {"url": without_secrets(target.url), "frames": answer.frames}
        raise
    last = answer.last or {}
    if as_json:
        output.result_json(
            {
                "ok": answer.good,
                "event": event,
                "url": without_secrets(target.url),
                "id": id,
                "frames": answer.frames,
                "result": last.get("payload"),
            }
        )
    return _finish(answer, event, target, as_json)


async def _converse(
    target: _Target, who: Caller, event: str, body: Any, id: str, answer: _Answer, timeout: float, *, live: bool
) -> None:
    def arrived(frame: object) -> None:
        if answer.last is None and not unwritable:
            try:
                _take(answer, frame, id, live=live)
            except OSError as error:
                unwritable.append(error)
                stream.close()

    unwritable: list[OSError] = []  # a reader that had enough, a full disk: the network has no part in it
    client = gsws.client.connect(
        target.url,
        client_id=who.client_id,
        token=who.token,
        headers=who.headers,
        resume=False,
        tls=target.tls,
        open_timeout=timeout,
        max_bytes=_LARGEST_FRAME,
        on_frame=arrived,
    )
    try:
        async with client:
            stream = client.stream(event, body, id=id, timeout=timeout)
            async with stream:
                async for _ in stream.frames():
                    continue
    except gsws.client.ConnectionLost as lost:
        raise output.Failure(f"{lost} before the answer ended") from None
    except gsws.client.AnswerTimeout:
        raise _late(target.url, timeout) from None
    except gsws.client.ConnectFailed as failure:
        raise _unconnected(target.url, failure, timeout, is_known=who.shows(target.url)) from None
    except (gsws.client.RemoteError, gsws.client.Interrupted, gsws.client.ClientClosed):
        pass  # the frame that says so is in `answer`
    if unwritable:
        raise unwritable[0]


def _late(url: str, timeout: float) -> output.Failure:
    return output.Failure(f"no answer from {url} within {timeout:g} s", "`--timeout` waits longer")


def _unconnected(url: str, failure: gsws.client.ConnectFailed, timeout: float, *, is_known: bool) -> output.Failure:
    """Why there is no connection; ``is_known`` tells that a credential was sent."""
    cause = failure.__cause__
    if isinstance(cause, TimeoutError):
        return _late(url, timeout)
    if isinstance(cause, ssl.SSLError):
        return output.Failure(f"no secure connection to {url}: {cause.reason or cause}")
    if isinstance(cause, OSError):
        return _unreachable(url, cause)
    status = getattr(getattr(cause, "response", None), "status_code", None)
    if status == _UNAUTHORIZED and is_known:
        return output.Failure(f"{url} refused the credential (HTTP 401)", _OTHER_CREDENTIAL)
    if isinstance(status, int) and status in _REFUSED:
        message, help = _REFUSED[status]
        return output.Failure(f"{url} {message} (HTTP {status})", help)
    return output.Failure(f"{url} did not accept a WebSocket: {cause}")


def _take(answer: _Answer, frame: Any, id: str, *, live: bool) -> None:
    """Keep one frame, print it if somebody watches, and notice the last one."""
    answer.frames.append(frame)
    if not isinstance(frame, dict) or not isinstance(frame.get("payload"), dict):
        if live:
            _aside(answer, frame if isinstance(frame, str) else json.dumps(frame, ensure_ascii=False))
        return
    kind, body = frame.get("eventtype"), frame["payload"]
    if frame.get("id") == id and kind in TERMINAL:
        answer.last = frame
    elif live and kind == "stream.chunk":
        _chunk(answer, body)
    elif live and kind not in ("stream.start", "stream.end"):
        _aside(answer, call_frame(str(kind), body, whole=not output.is_terminal(sys.stderr)))


def _chunk(answer: _Answer, body: dict[str, Any]) -> None:
    text = body.get("message")
    if isinstance(text, str) and text:
        sys.stdout.write(_shown(text))
        answer.text = not text.endswith("\n")
    else:
        _end_line(answer)
        output.result(_shown(json.dumps({key: body[key] for key in body if key != "message"}, ensure_ascii=False)))
    sys.stdout.flush()


def _aside(answer: _Answer, text: str) -> None:
    _end_line(answer)
    output.note(output.paint(output.plain(text), "dim", stream=sys.stderr))


def _end_line(answer: _Answer) -> None:
    if answer.text:
        sys.stdout.write("\n")
        sys.stdout.flush()
        answer.text = False


def _finish(answer: _Answer, event: str, target: _Target, as_json: bool) -> int:
    last = answer.last or {"eventtype": "stream.error", "payload": {}}
    kind, body = last["eventtype"], last["payload"]
    _end_line(answer)
    if kind == "stream.error":
        name, code = body.get("error"), body.get("code")
        label = " ".join(str(part) for part in (name, code) if part is not None)
        help = None
        if name == "unknown_event" and event not in target.known:
            help = did_you_mean(event, target.known)
        output.show_failure(f"{body.get('message')}{f' ({label})' if label else ''}", help)
        data = body.get("data")
        if isinstance(data, dict) and isinstance(data.get("exception"), str):
            output.note(output.plain(f"  {data['exception']}: {data.get('text')}"))
        for error in (body.get("errors") or ())[:10]:
            if isinstance(error, dict):
                output.note(output.plain(f"  at {error.get('pointer') or '/'}: {error.get('message')}"))
    elif kind == "stream.end":
        if not answer.good:
            output.show_failure(f"the stream ended early: {body.get('reason')}")
    elif not as_json:
        _reply(body)
    return output.GOOD if answer.good else output.FAILED


def _reply(body: dict[str, Any]) -> None:
    data = body.get("data")
    if isinstance(data, str):
        output.result(_shown(data))
    elif data is not None:
        output.result(_shown(json.dumps(data, ensure_ascii=False, indent=2 if output.is_terminal() else None)))
    else:
        output.note(output.plain(f"{body.get('message') or 'done'} ({body.get('code', 200)})"))


def _target(event: str, url: str | None) -> _Target:
    """Where to send: the URL given, or that of the event's source in this project, where it listens now."""
    project = load_current() if url is None or find_root(Path.cwd()) is not None else None
    known = tuple(one.key for one in project.events) if project is not None else ()
    if url is not None:
        return _Target(_full_url(url), None, known, None if project is None else project.root)
    assert project is not None
    source = project.sources.get(event.partition(".")[0])
    listening = [source] if source else [source for source in project.sources.values() if source.type == "websocket"]
    if not listening:
        raise output.Failure("this project has no websocket source", "`gsws plugin add websocket` makes one")
    if len(listening) > 1:
        raise output.misuse(
            f"`{event}` belongs to no source of this project",
            did_you_mean(event, known) or "`gsws events` shows what there is; `--url` says where to send",
        )
    (source,) = listening
    return _Target(_source_url(source, *_place(project.root, source)), _trust(project, source), known, project.root)


def _full_url(url: str) -> str:
    for scheme, ours in (("http://", "ws://"), ("https://", "wss://")):
        if url.startswith(scheme):
            url = ours + url.removeprefix(scheme)
    if "://" not in url:
        url = f"ws://{url}"
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("ws", "wss") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits:
        raise output.misuse(f"`{url}` is no WebSocket URL", "for example `ws://127.0.0.1:8000`")
    return url


def _place(root: Path, source: SourceSpec) -> tuple[str, int]:
    """Where a source listens: as the running service says, else as its file does."""
    host, port = str(source.config.get("host", "127.0.0.1")), source.config.get("port")
    running = places_of(root, source.name)
    if len(running) > 1:
        written = [place for place in running if place[1] == port]
        if len(written) != 1:
            listed = " and ".join(_source_url(source, *place) for place in running)
            raise output.Failure(f"services of this project run at {listed}", "`--url` says which one is meant")
        running = written
    if running:
        return running[0]
    if not isinstance(port, int) or port == 0:
        raise output.Failure(
            f"`{source.path}` names no fixed port, and no running service of this project says where it listens",
            "start it with `gsws serve`, or say with `--url` where to send",
        )
    return host, port


def _source_url(source: SourceSpec, host: str, port: int) -> str:
    scheme = "wss" if source.config.get("tls") else "ws"
    path = source.config.get("path")
    return f"{scheme}://{dialled(host)}:{port}{path if isinstance(path, str) else '/'}"


def _trust(project: Project, source: SourceSpec) -> ssl.SSLContext | None:
    """Trust the project's own certificate, which need not be signed by anybody else."""
    tls = source.config.get("tls")
    if not isinstance(tls, dict) or not isinstance(tls.get("cert"), str):
        return None
    context = ssl.create_default_context()
    with output.refusing(f"cannot read `{tls['cert']}`"):
        context.load_verify_locations(project.root / tls["cert"])
    return context


def _unreachable(url: str, error: OSError) -> output.Failure:
    if _is_refused(url, error):
        return output.Failure(f"nothing is listening at {url}", "start it with `gsws serve`")
    # asyncio raises a bare ConnectionResetError when the other side hangs up while TLS is negotiated.
    why = error.strerror or str(error) or "it closed the connection"
    return output.Failure(f"cannot reach {url}: {why}")


def _is_refused(url: str, error: OSError) -> bool:
    """Whether nothing listens; of a name with several addresses asyncio tells no cause, so it is asked again."""
    if isinstance(error, ConnectionRefusedError) or error.errno is not None:
        return isinstance(error, ConnectionRefusedError)
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "wss" else 80)
        socket.create_connection((parts.hostname or "localhost", port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    except (OSError, ValueError):
        return False
    return False


def _shown(text: str) -> str:
    """What a server sent must not steer the terminal; a pipe gets it as it is."""
    return output.plain(text, keep="\n\t") if output.is_terminal() else text
