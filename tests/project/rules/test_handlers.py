"""Rules that read handler files: what is named, where, and what is left alone. Nothing is imported."""

from __future__ import annotations

import sys

import pytest


def async_body(line: str, imports: str = "") -> dict[str, str]:
    return {"functions/chat.py": f"{imports}\nasync def chat(ctx, graph=None, model=None):\n    {line}\n"}


@pytest.mark.parametrize(
    ("imports", "line", "name"),
    [
        ("import time", "time.sleep(1)", "time.sleep"),
        ("import time as t", "t.sleep(1)", "time.sleep"),
        ("from time import sleep as nap", "nap(1)", "time.sleep"),
        ("", "import requests; return requests.get('x').json()", "requests.get"),
        ("import urllib.request", "urllib.request.urlopen('x')", "urllib.request.urlopen"),
        ("from urllib.request import urlopen", "with urlopen('x') as f: return f.read()", "urllib.request.urlopen"),
        ("import subprocess", "subprocess.run(['ls'])", "subprocess.run"),
        ("import os", "os.system('ls')", "os.system"),
        ("", "return graph.invoke({})", "graph.invoke"),
        ("", "return ctx.datasources['llm'].invoke({})", "llm.invoke"),
        ("", "return ctx.datasources.model.invoke({})", "model.invoke"),
        ("", "for part in graph.stream({}): yield part", "graph.stream"),
        ("", "return self.client.models.generate_content(contents='x')", "generate_content"),
        ("", "async with ctx.lock:\n        input()", "input"),
    ],
)
def test_a_blocking_call_is_named(tree, imports, line, name):
    (finding,) = tree.load(async_body(line, imports)).findings
    assert finding.code == "GS208"
    assert f"`{name}`" in finding.message
    assert finding.help


@pytest.mark.parametrize(
    ("imports", "line"),
    [
        ("import asyncio", "await asyncio.sleep(1)"),
        ("", "return await graph.ainvoke({})"),
        ("", "return await model.invoke({})"),
        ("", "async for part in graph.stream({}): yield part"),
        ("import time, asyncio", "await asyncio.to_thread(time.sleep, 1)"),
        ("import time, asyncio", "await asyncio.to_thread(lambda: time.sleep(1))"),
        ("import time", "def inner():\n        time.sleep(1)\n    return inner"),
        ("", "return await ctx.client.aio.models.generate_content(contents='x')"),
        ("", "return ctx.sleep(1)"),
        ("", "time = ctx; time.sleep(1)"),
        ("", "return ctx.requests.get('x')"),
        ("", "with open(__file__) as file: return file.read()"),
    ],
)
def test_what_does_not_block(tree, imports, line):
    assert tree.codes(async_body(line, imports)) == []


def test_a_place_behind_wide_letters(tree):
    files = async_body("x = '日本 é'; time.sleep(1)", "import time")
    (finding,) = tree.load(files).findings
    assert (finding.span.line, finding.span.column, finding.span.end_column) == (3, 17, 27)


@pytest.mark.parametrize(
    ("source", "codes"),
    [
        ("import torch", ["GS209"]),
        ("import langchain_core.messages as m", ["GS209"]),
        ("from google import genai", ["GS209"]),
        ("import google.genai as g", ["GS209"]),
        ("try:\n    import tensorflow\nexcept ImportError: ...", ["GS209"]),
        ("import language_tools", []),
        ("import pandas", []),
        ("from google import protobuf", []),
    ],
)
def test_heavy_imports(tree, source, codes):
    assert tree.codes({"functions/chat.py": f"{source}\nasync def chat(ctx): ...\n"}) == codes


def test_a_datasource_may_import_what_it_builds(tree):
    files = {"functions/model.py": "import torch\ndef build(): ...\n", "datasources/model.yaml": "fn: model.build\n"}
    assert tree.codes(files) == []


def test_an_agent_s_datasource_has_imported_its_libraries_already(tree):
    files = {"functions/chat.py": "import langgraph.graph\nimport torch\nasync def chat(ctx): ...\n"}
    assert tree.codes(files) == ["GS209", "GS209"]
    assert tree.codes({**files, "datasources/model.yaml": "type: chat_model\n"}).count("GS209") == 1


@pytest.mark.parametrize(
    "files",
    [
        {"functions/_more.py": "def more(): ...\n"},
        {"functions/test_more.py": "def test_more(): ...\n"},
        {
            "functions/more.py": "def more(ctx): ...\n",
            "functions/chat.py": "from .more import more\ndef chat(ctx): ...\n",
        },
        {"functions/more.py": "def more(ctx): ...\n", "functions/chat.py": "from . import more\ndef chat(ctx): ...\n"},
        {
            "functions/a/more.py": "def more(ctx): ...\n",
            "functions/chat.py": "def chat(ctx):\n    import functions.a.more\n",
        },
        {
            "functions/more.py": "def may(ctx): ...\n",
            "eventsources/websocket.yaml": "type: websocket\nauthz: more.may\n",
        },
        {"functions/more.py": "def more(ctx): ...\n", "functions/chat.py": "def chat(ctx): ctx.functions.more(ctx)\n"},
        {
            "functions/more.py": "def more(ctx): ...\n",
            "helper/x.py": "from functions import more\n",
            "functions/chat.py": "import helper.x\ndef chat(ctx): ...\n",
        },
        {"functions/more.py": "def more(ctx): ...\n", "events/x.yaml": "kafka.x: {fn: more}\n"},
    ],
)
def test_a_used_module(tree, files):
    assert "GS207" not in tree.codes(files)


def test_a_misspelt_name_makes_nothing_unused(tree):
    assert tree.codes({"events/chat.yaml": "websocket.chat: {fn: chta}\n"}) == ["GS201"]


def test_emits_of_functions_that_others_call(tree):
    """Only what the event's own handler sends counts; where nothing is declared, nothing is asked."""
    source = (
        "async def chat(ctx):\n    await part(ctx)\n"
        "async def part(ctx):\n    await ctx.emit(eventtype='a.one', payload=1)\n"
        "async def other(ctx):\n    await ctx.emit('b.two', 1)\n"
    )
    files = {
        "functions/chat.py": source,
        "events/chat.yaml": "websocket.chat: {fn: chat, emits: {a.ones: true}}\nwebsocket.other: {fn: chat.other}\n",
    }
    (finding,) = tree.load(files).findings
    assert (finding.code, finding.span.line, finding.span.column) == ("GS211", 4, 30)
    assert finding.help == "did you mean `a.ones`?"
    assert [(label.span.path, label.span.line) for label in finding.related] == [("events/chat.yaml", 1)]


def test_no_rule_imports_a_handler(tree):
    tree.write(
        "functions/chat.py", "import sys\nsys.modules['gsws_was_here'] = sys\nraise SystemExit\ndef chat(ctx): ...\n"
    )
    assert tree.codes() == []
    assert "gsws_was_here" not in sys.modules
