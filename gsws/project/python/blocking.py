"""GS208: calls that stop the event loop, in functions that run on it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from gsws.diagnostics.finding import Finding, warning
from gsws.project.python.source import PythonSource, own_nodes

__all__ = ["blocking_calls"]

_THREAD: Final = "or `await asyncio.to_thread(…)`, or make the handler a plain `def`: it then runs in a thread"
_HTTP: Final = f"use `httpx.AsyncClient`, {_THREAD}"
_PROCESS: Final = f"use `await asyncio.create_subprocess_exec(…)`, {_THREAD}"
_LOOKUP: Final = f"use `await asyncio.get_running_loop().getaddrinfo(…)`, {_THREAD}"
_DRIVER: Final = f"use the asynchronous driver, {_THREAD}"
_VERBS: Final = ("get", "post", "put", "patch", "delete", "head", "options", "request")

_CALLS: Final[dict[str, str]] = {
    "time.sleep": "write `await asyncio.sleep(…)`",
    **{f"requests.{verb}": _HTTP for verb in _VERBS},
    **{f"httpx.{verb}": _HTTP for verb in (*_VERBS, "stream")},
    "requests.Session": _HTTP,
    "requests.session": _HTTP,
    "urllib.request.urlopen": _HTTP,
    "urllib.request.urlretrieve": _HTTP,
    "http.client.HTTPConnection": _HTTP,
    "http.client.HTTPSConnection": _HTTP,
    **dict.fromkeys(
        [f"subprocess.{name}" for name in ("run", "call", "check_call", "check_output", "getoutput")], _PROCESS
    ),
    "subprocess.getstatusoutput": _PROCESS,
    "os.system": _PROCESS,
    "os.popen": _PROCESS,
    "os.wait": _PROCESS,
    "os.waitpid": _PROCESS,
    "socket.create_connection": f"use `await asyncio.open_connection(…)`, {_THREAD}",
    "socket.getaddrinfo": _LOOKUP,
    "socket.gethostbyname": _LOOKUP,
    "psycopg2.connect": _DRIVER,
    "pymysql.connect": _DRIVER,
    "psycopg.connect": _DRIVER,
}
_BUILT_IN: Final = {"input": "a server has nobody at its terminal; take the value from the payload"}
_RUNNABLE: Final = re.compile(r"(?:^|_)(?:llm|model|graph|chain|agent|retriever|runnable|workflow)\d*(?:_|$)")
_METHODS: Final = {"invoke": "ainvoke", "batch": "abatch", "stream": "astream", "predict": "apredict"}
_GENERATE: Final = frozenset({"generate_content", "generate_content_stream", "embed_content"})
_HINT: Final = re.compile(
    rb"\btime\b|requests|urllib|subprocess|\bos\.(?:system|popen|wait)|from os |httpx|http\.client|\bsocket\b|"
    rb"psycopg|pymysql|\binput\(|\.(?:invoke|batch|stream|predict|generate_content|generate_content_stream|embed_content)\("
)


def blocking_calls(source: PythonSource) -> Iterator[Finding]:
    """Blocking calls in the ``async def`` functions of a file."""
    if b"async def" not in source.raw or _HINT.search(source.raw) is None:
        return
    for function in source.functions:
        if not isinstance(function, ast.AsyncFunctionDef):
            continue
        awaited: set[ast.AST] = set()
        for node in own_nodes(function):
            if isinstance(node, ast.Await):
                awaited.add(node.value)
            elif isinstance(node, ast.AsyncFor):
                awaited.add(node.iter)
            elif isinstance(node, ast.AsyncWith):
                awaited |= {item.context_expr for item in node.items}
            if isinstance(node, ast.Call):
                found = _blocks(source, node, is_awaited=node in awaited)
                if found is not None:
                    name, help = found
                    yield warning(
                        "GS208",
                        f"`{name}` blocks every connection while the async function `{function.name}` waits for it",
                        source.span(node.func),
                        "blocks the event loop",
                        help,
                    )


def _blocks(source: PythonSource, call: ast.Call, *, is_awaited: bool) -> tuple[str, str] | None:
    """The name of a blocking call and what to write instead."""
    func = call.func
    name = source.full_name(func)
    if name is not None and name in _CALLS:
        return name, _CALLS[name]
    if isinstance(func, ast.Name):
        return (func.id, _BUILT_IN[func.id]) if func.id in _BUILT_IN and name is None else None
    if is_awaited or not isinstance(func, ast.Attribute):
        return None
    path = _path(func.value)
    if func.attr in _METHODS and path and _RUNNABLE.search(path[-1].lower()):
        return f"{path[-1]}.{func.attr}", f"write `{_asynchronous(func.attr)}`"
    if func.attr in _GENERATE and "aio" not in path:
        return func.attr, "use the client's asynchronous side: `await client.aio.models.…`"
    return None


def _asynchronous(method: str) -> str:
    name = _METHODS[method]
    return f"async for … in ….{name}(…)" if name == "astream" else f"await ….{name}(…)"


def _path(node: ast.expr) -> list[str]:
    """The names of ``a.b["c"].d(…)``, as far as they are written."""
    parts: list[str] = []
    while True:
        match node:
            case ast.Attribute(value=inner, attr=name):
                parts.append(name)
                node = inner
            case ast.Subscript(value=inner, slice=key):
                parts.append(str(key.value) if isinstance(key, ast.Constant) else "")
                node = inner
            case ast.Call(func=inner):
                node = inner
            case ast.Name(id=name):
                return [name, *reversed(parts)]
            case _:
                return list(reversed(parts))
