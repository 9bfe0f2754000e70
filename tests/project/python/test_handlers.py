"""Which function `fn` means, by reading the source alone."""

from __future__ import annotations

import os
import time

import pytest

from gsws.project.python.parameters import INJECTABLE


def chosen(tree, fn: str, files: dict[str, str]):
    """The callable that ``fn`` means, or the codes of the errors."""
    for name, text in files.items():
        tree.write(f"functions/{name}", text)
    project = tree.load({"events/chat.yaml": f'"websocket.chat": {{fn: "{fn}"}}\n'})
    (event,) = project.events
    # The base project's `chat.py` is unused now.
    codes = [finding.code for finding in project.findings if finding.code != "GS207"]
    return (event.handler.module, event.handler.callable) if event.handler is not None and not codes else codes


@pytest.mark.parametrize(
    ("fn", "files", "expected"),
    [
        ("a", {"a.py": "def handler(): ...\ndef a(): ...\ndef main(): ...\n"}, ("a", "a")),
        ("a", {"a.py": "def main(): ...\ndef handler(): ...\ndef x(): ...\n"}, ("a", "handler")),
        ("a", {"a.py": "def main(): ...\ndef x(): ...\n"}, ("a", "main")),
        ("a", {"a.py": "def _helper(): ...\ndef x(): ...\n"}, ("a", "x")),
        ("a", {"a.py": "from os import path\ndef x(): ...\n"}, ("a", "x")),
        ("json", {"json.py": "import json\nasync def handler(payload): ...\n"}, ("json", "handler")),
        ("json", {"json.py": "import json\nasync def say(payload): ...\n"}, ("json", "say")),
        ("time", {"time.py": "from time import time\ndef main(payload): ...\n"}, ("time", "main")),
        ("x.time", {"x/time.py": "from time import time\ndef now(payload): ...\n"}, ("x.time", "now")),
        ("a", {"a.py": "from uvicorn import main\ndef x(payload): ...\n"}, ("a", "x")),
        ("a", {"a.py": "from helper.words import handler\ndef x(payload): ...\n"}, ("a", "x")),
        ("a.b.c", {"a/b/c.py": "async def c(ctx): ...\n"}, ("a.b.c", "c")),
        ("a.b", {"a/b/__init__.py": "async def b(ctx): ...\n"}, ("a.b", "b")),
        ("a.b.c.g", {"a/b/c.py": "def c(): ...\ndef g(): ...\n"}, ("a.b.c", "g")),
        ("a._g", {"a.py": "def _g(): ...\n"}, ("a", "_g")),
        ("a", {"a.py": "if 1:\n    def a(): ...\nelse:\n    def a(): ...\n"}, ("a", "a")),
        ("a", {"a.py": "try:\n    import x\nexcept ImportError:\n    x = None\nasync def a(ctx): ...\n"}, ("a", "a")),
        ("a", {"a.py": "import functools\ndef _x(ctx, n): ...\na = functools.partial(_x, n=1)\n"}, ("a", "a")),
        ("a", {"a.py": "handler = lambda ctx: 1\n"}, ("a", "handler")),
        ("a.g", {"a/__init__.py": "from .g import g\n", "a/g.py": "def g(ctx): ...\n"}, ("a.g", "g")),
        ("a", {"a/__init__.py": "from .impl import run as a\n", "a/impl.py": "def run(ctx): ...\n"}, ("a", "a")),
        ("my-fn", {"my-fn.py": "def handler(): ...\n"}, ("my-fn", "handler")),
        ("a", {"a.py": "class C: ...\ndef a(): ...\n", "a/b.py": "def b(): ...\n"}, ("a", "a")),
    ],
)
def test_fn_means(tree, fn, files, expected):
    assert chosen(tree, fn, files) == expected


@pytest.mark.parametrize(
    ("fn", "files", "codes"),
    [
        ("nowhere", {}, ["GS201"]),
        ("chat.nothing", {}, ["GS201"]),
        ("chat.chat.chat", {}, ["GS201"]),
        ("os.system", {}, ["GS201"]),
        ("os", {}, ["GS201"]),
        ("builtins.eval", {}, ["GS201"]),
        ("tools.system", {"tools.py": "from os import system\n"}, ["GS201"]),
        ("tools.os", {"tools.py": "import os\n"}, ["GS201"]),
        ("../../etc/passwd", {}, ["GS110"]),
        ("/etc/passwd", {}, ["GS110"]),
        ("..chat", {}, ["GS110"]),
        ("~/x", {}, ["GS110"]),
        ("a/../../x", {}, ["GS110"]),
        ("functions/chat.py", {}, ["GS201"]),
        ("chat:chat", {}, ["GS201"]),
        ("chat.__class__", {}, ["GS201"]),
        ("__import__", {}, ["GS201"]),
        ("chat.__init__.__globals__", {}, ["GS201"]),
        ("chat ", {}, ["GS201"]),
        (".", {}, ["GS201"]),
        ("a", {"a.py": "def x(): ...\ndef y(): ...\n"}, ["GS202"]),
        ("a", {"a.py": "x = 1\n"}, ["GS202"]),
        ("a", {"a.py": "class a: ...\n"}, ["GS202"]),
        ("a.x", {"a.py": "x = 1\n"}, ["GS202"]),
        ("a", {"a.py": "def a(): ...\ndef a(): ...\n"}, ["GS202"]),
        ("a.g", {"a.py": "def g(): ...\n", "a/g.py": "def g(): ...\n"}, ["GS202"]),
        ("a", {"a.py": "def a(): ...\n", "a/__init__.py": "def a(): ...\n"}, ["GS202"]),
        ("a", {"a.py": "def a(:\n"}, ["GS205"]),
        ("a", {"a.py": "return 1\n"}, ["GS205"]),
        ("a", {"a.py": "x = '\0'\n"}, ["GS205"]),
        ("a", {"a.py": "(" * 5000}, ["GS205"]),
        ("a", {"a.py": "x = " + "-" * 100_000 + "1\n"}, ["GS205"]),
    ],
)
def test_fn_means_nothing(tree, fn, files, codes):
    assert chosen(tree, fn, files) == codes


def test_a_link_that_leaves_the_project_is_refused(tree, tmp_path):
    (tmp_path / "evil.py").write_text("def evil(): ...\n")
    (tmp_path / "evils").mkdir()
    (tmp_path / "evils/one.py").write_text("def one(): ...\n")
    os.symlink(tmp_path / "evil.py", tree.root / "functions/evil.py")
    os.symlink(tmp_path / "evils", tree.root / "functions/evils")

    assert chosen(tree, "evil", {}) == ["GS110"]
    assert chosen(tree, "evils.one", {}) == ["GS110"]


def test_functions_as_a_whole_may_not_be_elsewhere(tree, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tree.root / "functions/chat.py").unlink()
    (tree.root / "functions").rmdir()
    os.symlink(tmp_path / "elsewhere", tree.root / "functions")

    assert tree.codes() == ["GS201", "GS110"]


@pytest.mark.parametrize(
    ("definition", "right"),
    [
        *[(f"async def chat(ctx, {name}): ...", True) for name in sorted(INJECTABLE) if name != "ctx"],
        *[(f"async def chat(*, {name}): ...", True) for name in sorted(INJECTABLE)],
        ("async def chat(anything): ...", True),
        ("def chat(): ...", True),
        ("async def chat(payload, ws): ...", True),
        ("async def chat(ctx, extra=1, *more, other=2, **rest): ...", True),
        ("async def chat(a, /, payload): ...", True),
        ("chat = lambda ctx: 1", True),
        ("@decorated\nasync def chat(a, b, c): ...", True),
        ("async def chat(ctx, db): ...", False),
        ("async def chat(a, b): ...", False),
        ("async def chat(ctx, *, db): ...", False),
        ("async def chat(*, anything): ...", False),
        ("chat = lambda ctx, db: 1", False),
    ],
)
def test_a_signature_can_be_called(tree, definition, right):
    assert tree.codes({"functions/chat.py": definition + "\n"}) == ([] if right else ["GS204"])


def test_the_kind_of_a_handler_is_read_from_its_body(tree):
    project = tree.load(
        {
            "functions/chat.py": "async def chat(ctx):\n    def inner():\n        yield 1\n    return inner\n",
            "functions/stream.py": "async def stream(ctx):\n    if 1:\n        yield 1\n",
            "functions/slow.py": "def slow(ctx): ...\n",
        }
    )
    kinds = {
        name: (ref.is_async, ref.is_generator)
        for name in ("chat", "stream", "slow")
        if (ref := project.handlers.find(name))
    }

    assert kinds == {"chat": (True, False), "stream": (True, True), "slow": (False, False)}


def test_names_are_modules_and_their_other_functions(tree):
    project = tree.load(
        {
            "functions/a/b.py": "def b(): ...\ndef other(): ...\ndef _private(): ...\n",
            "functions/_hidden.py": "def f(): ...\n",
        }
    )

    assert project.handlers.names() == ("a.b", "a.b.other", "chat")
    assert "a.b" in project.handlers
    assert "a.c" not in project.handlers


def test_an_error_in_python_shows_the_python_file(tree):
    assert tree.rendered({"functions/chat.py": "async def chat(ctx):\n    x = = 1\n"}) == (
        "error[GS205]: Python syntax error: invalid syntax\n"
        "  --> functions/chat.py:2:9\n"
        "   |\n"
        " 2 |     x = = 1\n"
        "   |         ^ here"
    )


def test_a_helper_that_a_handler_imports_is_parsed_too(tree):
    """What `validate` accepts, `serve` can import."""
    files = {"helper/__init__.py": "", "helper/rag.py": "def f(:\n", "unused.py": "def f(:\n"}
    assert tree.codes(files) == []
    assert tree.codes({"functions/chat.py": "from helper.rag import f\nasync def chat(ctx): ...\n"}) == ["GS205"]


def test_a_yaml_workflow_is_named_as_such(tree):
    assert tree.codes({"functions/flow.yaml": "tasks: []\n"}) == ["GS213"]


def test_a_handler_in_another_language_is_named(tree):
    tree.write("functions/old.ts", "export default 1\n")
    project = tree.load({"events/chat.yaml": '"websocket.chat": {fn: old}\n'})

    assert project.findings[0].help == (
        "`functions/old.ts` is there, but handlers are Python: `gsws new function old` begins functions/old.py"
    )


def test_names_that_differ_by_case_only(tree):
    assert tree.codes({"functions/Chat.py": "def Chat(): ...\n"}) == ["GS206"]


@pytest.mark.parametrize("name", ["json.py", "types/__init__.py", "pytest.py"])
def test_a_helper_named_like_another_package(tree, name):
    assert tree.codes({name: "x = 1\n"}) == ["GS210"]


@pytest.mark.parametrize("name", ["tests/test_x.py", "setup.py", "helper/x.py", "functions/_json.py", "docs/x.py"])
def test_a_helper_with_a_name_of_its_own(tree, name):
    assert tree.codes({name: "def json(): ...\n"}) == []


def test_a_handler_may_be_named_like_another_package(tree):
    assert tree.codes({"functions/json.py": "def json(): ...\n", "events/x.yaml": "websocket.x: {fn: json}\n"}) == []


def test_warnings_of_the_python_parser_reach_nobody(tree, recwarn):
    assert tree.codes({"functions/chat.py": "X = '\\d'\nasync def chat(ctx): return 1 is 1\n"}) == []
    assert len(recwarn) == 0


def test_a_thousand_wrong_names_end_soon(tree):
    """Looking for the nearest of many names is bounded."""
    for number in range(300):
        tree.write(f"functions/some_long_name_{number}.py", "def handler(): ...\n")
    keys = "".join(f'"websocket.e{number}": {{fn: other_long_name_{number}}}\n' for number in range(1000))
    started = time.process_time()
    codes = tree.codes({"events/many.yaml": keys})

    assert codes == ["GS201"] * 1000
    assert time.process_time() - started < 60
