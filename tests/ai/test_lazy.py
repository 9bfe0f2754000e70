"""What importing and running costs those who do not ask for it: no LangGraph without an agent, no call to anybody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import gsws.ai

HEAVY = ("langgraph", "langchain_core", "langsmith", "google", "numpy", "aiosqlite", "aiohttp", "httpx")


def python(code: str, folder: Path, **environment: str) -> str:
    """Run code in a process of its own and give what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(gsws.__file__).parents[1]), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_loads_nothing(tmp_path: Path) -> None:
    """`import gsws.ai` loads neither LangGraph nor a client, and lists what there is."""
    code = f"import gsws.ai, sys; print([m for m in sys.modules if m.partition('.')[0] in {HEAVY!r}], dir(gsws.ai))"

    assert python(code, tmp_path).startswith("[] ")


@pytest.mark.parametrize(
    "command",
    [
        ["--help"],
        ["validate"],
        ["serve", "--help"],
        ["validate", "--format", "json"],
    ],
)
def test_the_command_line_loads_no_agent(tmp_path: Path, command: list[str]) -> None:
    """A project without an agent never loads LangGraph, whatever is asked of the command line."""
    project(tmp_path)
    code = (
        "import sys\n"
        "from gsws.cli.entry import main\n"
        f"sys.argv = ['gsws', *{command!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"print('LOADED', [m for m in sys.modules if m.partition('.')[0] in {HEAVY!r}])\n"
    )

    assert python(code, tmp_path).rstrip().endswith("LOADED []")


def test_serving_a_project_without_an_agent_loads_none(tmp_path: Path) -> None:
    """A running service whose project has no agent has no LangGraph in its process."""
    code = SERVE.format(heavy=HEAVY)

    assert python(code, tmp_path).rstrip().endswith("LOADED []")


SERVE = """
import sys
from pathlib import Path
from tests.runtime.support import served

files = {{
    "events/plain.yaml": "websocket.plain: {{fn: plain, payload: {{}}}}",
    "functions/plain.py": "async def handler(payload):\\n    return payload",
}}
with served(Path("project"), files) as service, service.client() as client:
    assert client.ask("websocket.plain", {{"a": 1}})["payload"]["data"] == {{"a": 1}}
print("LOADED", [m for m in sys.modules if m.partition('.')[0] in {heavy!r}])
"""


def project(folder: Path) -> None:
    files = {
        "eventsources/websocket.yaml": "type: websocket\nport: 0\n",
        "events/plain.yaml": "websocket.plain: {fn: plain, payload: {}}\n",
        "functions/plain.py": "async def handler(payload):\n    return payload\n",
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def test_every_public_name_can_be_had() -> None:
    """Each name of `__all__` is there, and no submodule has the name of one of them."""
    for name in gsws.ai.__all__:
        assert getattr(gsws.ai, name) is not None
        assert not (Path(gsws.ai.__file__).parent / f"{name}.py").exists()
        assert not (Path(gsws.ai.__file__).parent / name).exists()
    with pytest.raises(AttributeError, match="no attribute `nonsense`"):
        _ = gsws.ai.nonsense  # type: ignore[attr-defined]


def test_without_the_extra_there_is_one_clear_error(tmp_path: Path) -> None:
    """Where LangGraph is not installed, the error says what to install."""
    code = (
        "import sys\n"
        "class Gone:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'langgraph':\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Gone())\n"
        "try:\n    from gsws.ai import run\nexcept ImportError as error:\n    print(error)\n"
    )

    expected = '`gsws.ai.run` needs `langgraph`, which is not installed; run: pip install "gsws[ai]"\n'
    assert python(code, tmp_path) == expected


def test_checkpoints_are_read_strictly(tmp_path: Path) -> None:
    """What a store holds must not choose which classes are built."""
    code = (
        "import gsws.ai\n"
        "from langgraph.checkpoint.serde._msgpack import STRICT_MSGPACK_ENABLED\n"
        "print(STRICT_MSGPACK_ENABLED)\n"
    )

    assert python(code, tmp_path) == "True\n"


QUIET = """
import asyncio, json, sys

seen = []
def hook(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "socket.sendto"):
        seen.append([event, repr(arguments[1] if event == "socket.connect" else arguments[:2])])
sys.addaudithook(hook)

import gsws.ai
from gsws.ai import Budget, chat_model, prepare, run
from gsws.testing.gemini import FakeGemini
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

@tool
async def look(query: str) -> str:
    "Look something up."
    return "found"

async def main(gemini):
    model = chat_model("google_genai:gemini-flash-latest", api_key="fake-key", base_url=gemini.url)
    bound = model.bind_tools([look])
    async def agent(state):
        return {"messages": [await bound.ainvoke(prepare(state["messages"], system="x"))]}
    graph = StateGraph(MessagesState).add_node("agent", agent).add_node("tools", ToolNode([look]))
    graph = graph.add_edge(START, "agent").add_conditional_edges("agent", tools_condition).add_edge("tools", "agent")
    graph = graph.compile(checkpointer=InMemorySaver())
    names = [frame.eventtype async for frame in run(graph, "hi", budget=Budget(turn_tokens=10_000))]
    assert names[-1] == "stream.end", names
    assert "tool.call" in names
    await model.aclose()
    await asyncio.sleep(0.5)  # an upload would be under way by now

with FakeGemini() as gemini:
    port = gemini.url.rpartition(":")[2]
    asyncio.run(main(gemini))
print(json.dumps([port, seen]))
"""


@pytest.mark.parametrize("traced", [False, True])
def test_nothing_but_the_provider_is_talked_to(tmp_path: Path, traced: bool) -> None:
    """Import, build and a whole turn look nothing up and connect to the provider alone, tracing variables or not."""
    tracing = {
        "LANGSMITH_TRACING": "true",
        "LANGCHAIN_TRACING_V2": "true",
        "LANGSMITH_API_KEY": "ls-fake",
        "LANGSMITH_GATEWAY": "true",
        "LANGSMITH_ENDPOINT": "http://127.0.0.1:9",
    }
    environment = dict.fromkeys(tracing, "") if not traced else tracing

    port, seen = json.loads(python(QUIET, tmp_path, **environment).splitlines()[-1])

    assert seen
    for event, address in seen:
        assert "127.0.0.1" in address, (event, address)
        assert port in address, (event, address)
