"""``type: threads``: an agent's memory declared in a file, in a project that is really served."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gsws.datasources.threads import plugin
from gsws.plugins.registry import facts, registry
from gsws.project import load_project
from gsws.testing import ProjectError, serve
from tests.ai.threads.support import a_schema, within
from tests.cli.support import inside
from tests.runtime.support import write

_EVENTS = """
websocket.ask: {fn: agent.ask, payload: {}}
websocket.threads: {fn: agent.threads, payload: {}}
websocket.forget: {fn: agent.forget, payload: {}}
"""
_CODE = """
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import END, START, MessagesState, StateGraph

from gsws.ai import thread_id


def answer(state):
    return {"messages": [AIMessage(f"answer {len(state['messages'])}")]}


async def ask(ctx, payload):
    builder = StateGraph(MessagesState)
    builder.add_node("answer", answer)
    builder.add_edge(START, "answer")
    builder.add_edge("answer", END)
    graph = builder.compile(checkpointer=ctx.datasources.threads.checkpointer)
    config = {"configurable": {"thread_id": thread_id("ann", payload["thread"])}}
    state = await graph.ainvoke({"messages": [HumanMessage(payload["message"])]}, config, durability="exit")
    return {"answer": state["messages"][-1].content}


async def threads(ctx):
    return {"threads": await ctx.datasources.threads.threads("ann")}


async def forget(ctx):
    return {"deleted": await ctx.datasources.threads.delete("ann")}
"""


def make_project(root, threads="type: threads\n"):
    write(root, "gsws.yaml", "name: app\n")
    write(root, "eventsources/websocket.yaml", "type: websocket\nport: 0\n")
    write(root, "events/websocket.yaml", _EVENTS)
    write(root, "functions/agent.py", _CODE)
    write(root, "datasources/threads.yaml", threads)
    return root


def codes(root):
    return [(finding.code, finding.message) for finding in load_project(root, plugins=facts()).findings]


def test_a_served_project_remembers(tmp_path):
    """With nothing but the type, threads are kept in `.gsws/threads.sqlite` over a restart, listed and deleted."""
    root = make_project(tmp_path)
    with serve(root) as project:
        assert project.ask("websocket.ask", {"thread": "one", "message": "hi"}).data == {"answer": "answer 1"}
    with serve(root) as project:
        assert project.ask("websocket.ask", {"thread": "one", "message": "again"}).data == {"answer": "answer 3"}
        [listed] = project.ask("websocket.threads").data["threads"]
        assert (listed["thread"], listed["title"], listed["messages"]) == ("one", "hi", 4)
        assert project.ask("websocket.forget").data == {"deleted": 1}
        assert project.ask("websocket.threads").data == {"threads": []}
    assert (root / ".gsws" / "threads.sqlite").exists()


def test_two_services_share_a_file(tmp_path):
    """Two processes serve one project at once, and neither locks the other out or loses a turn."""
    root = make_project(tmp_path)
    code = (
        "import sys\n"
        "from gsws.testing import serve\n"
        "with serve(sys.argv[1]) as project:\n"
        "    for number in range(10):\n"
        "        answer = project.ask('websocket.ask', {'thread': sys.argv[2], 'message': f'{number}'})\n"
        "        assert answer.ok, answer\n"
        "    print(answer.data)\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, root, name], stdout=subprocess.PIPE, text=True)
        for name in ("one", "two")
    ]

    assert [process.communicate(timeout=60)[0] for process in running] == ["{'answer': 'answer 19'}\n"] * 2


def test_postgres_by_configuration(tmp_path):
    """The same project on a database, with the address from the environment."""

    async def main():
        async with a_schema() as url:
            import asyncio

            def run():
                root = make_project(tmp_path, f"type: threads\nurl: {url}\nexpire_after: 1h\n")
                for expected in ("answer 1", "answer 3"):
                    with serve(root) as project:
                        answer = project.ask("websocket.ask", {"thread": "one", "message": "hi"})
                        assert answer.data == {"answer": expected}
                assert not (root / ".gsws" / "threads.sqlite").exists()

            await asyncio.to_thread(run)

    within(main())


def test_a_store_that_cannot_be_opened_stops_the_start(tmp_path):
    """A foreign file is named in the finding of the datasource, and left as it is."""
    (tmp_path / "notes.txt").write_text("dear diary")
    root = make_project(tmp_path, "type: threads\nurl: notes.txt\n")

    with pytest.raises(ProjectError) as caught, serve(root):
        pass

    assert "datasource `threads` cannot be built: the file of threads" in str(caught.value)
    assert f"`{tmp_path}/notes.txt` is no SQLite file" in str(caught.value)
    assert (tmp_path / "notes.txt").read_text() == "dear diary"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("type: threads\nexpire_after: soon\n", "duration"),
        ("type: threads\nkeep: -1\n", "keep"),
        ("type: threads\nkeep: many\n", "keep"),
        ("type: threads\nfile: x.sqlite\n", "file"),
        ("type: threads\nurl: 7\n", "url"),
    ],
)
def test_mistakes_in_the_file_are_found(tmp_path, text, problem):
    """`gsws validate` knows the keys and their values."""
    [(_, message)] = codes(make_project(tmp_path, text))

    assert problem in message


def test_a_password_is_in_no_finding(tmp_path):
    """The address is secret: neither a finding nor a failed start quotes it."""
    root = make_project(tmp_path, "type: threads\nurl: postgresql://ann:geheim@127.0.0.1:1/x\n")
    assert codes(root) == []

    with pytest.raises(ProjectError) as caught, serve(root):
        pass

    assert "Connection refused" in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_the_file_that_is_written_is_good(tmp_path):
    """`gsws plugin add threads` writes the defaults with comments."""
    root = make_project(tmp_path)
    (root / "datasources" / "threads.yaml").unlink()

    added = inside("plugin", "add", "threads", cwd=root)

    assert added.code == 0, added
    assert codes(root) == []
    config = load_project(root, plugins=facts()).datasources["threads"].config
    assert dict(config) == dict(plugin.default_config)


def test_knowing_the_plugin_imports_no_agent_library():
    """A project without an agent, and `gsws validate`, pay nothing for it."""
    code = (
        "import sys\n"
        "from gsws.plugins.registry import registry\n"
        "assert registry['threads'].error is None\n"
        "print([name for name in sys.modules if name.startswith(('lang', 'psycopg', 'aiosqlite', 'gsws.ai'))])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout == "[]\n"


def test_the_plugin_keeps_the_contract():
    """It is usable, built in, and makes datasources."""
    found = registry["threads"]

    assert (found.error, found.built_in, found.source_type) == (None, True, "datasource")
