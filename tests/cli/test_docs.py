"""The commands of docs/reference/cli.md are run as they stand."""

from __future__ import annotations

import re
import shlex

from tests.cli.support import ROOT, inside

PAGE = (ROOT / "docs/reference/cli.md").read_text("utf-8")


def commands() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines() if line.startswith("gsws ")]


def test_commands_of_the_page(tmp_path):
    """
    `serve`, `call`, `push` and `disconnect` wait for each other: test_serve and test_push run these.

    `keys`, `threads` and `index` need what is not there.

    `fake-gemini` runs until it is stopped: test_fake_gemini runs it.
    """
    ran = []
    for _, name, *arguments in commands():
        if name not in ("serve", "call", "push", "disconnect", "keys", "threads", "index", "fake-gemini"):
            here = tmp_path if name == "init" else tmp_path / "my-app"
            done = inside(name, *arguments, cwd=here)
            assert done.code == 0, (name, arguments, done)
            ran.append(name)
    assert ran == ["init", *["validate"] * 5, "schema", "schema", "events", *["new"] * 3, *["plugin"] * 4]


def test_every_command_and_option_is_described(tmp_path):
    """What `--help` lists stands in the page."""
    for words in every_command(tmp_path):
        if len(words) == 1:
            assert f"| [`gsws {words[0]}`](#gsws-{words[0]}) | " in PAGE
            assert f"\n## gsws {words[0]}\n" in PAGE
        for option in re.findall(r"--[a-z-]+", inside(*words, "--help", cwd=tmp_path).out.partition("Options:")[2]):
            assert option == "--help" or option in PAGE, (words, option)


def every_command(cwd, *words):
    listed = inside(*words, "--help", cwd=cwd).out.partition("Commands:\n")[2]
    for name in re.findall(r"^  ([\w-]+) ", listed.partition("\n\n")[0], re.MULTILINE):
        yield (*words, name)
        yield from every_command(cwd, *words, name)
