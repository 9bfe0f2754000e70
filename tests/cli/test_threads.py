"""`gsws threads`: what is kept for whom, and getting rid of it."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing

import pytest

from tests.ai.threads.support import a_schema, answering, opened, turn, within
from tests.cli.support import gsws, inside, on_terminal


def fill(url) -> None:
    """Three threads of two subjects."""

    async def main():
        async with opened(url) as store:
            await turn(answering(store), "about cats", "ann", "one")
            await turn(answering(store), "about\x1b[2J dogs", "ann", "two")
            await turn(answering(store), "about fish", "bob@example.org", "one")

    within(main())


@pytest.fixture
def project(tmp_path):
    """A project with a store, in a folder below its root, where commands are run."""
    (tmp_path / "gsws.yaml").write_text("name: app\n")
    for name in ("datasources", "events", "functions"):
        (tmp_path / name).mkdir()
    (tmp_path / "datasources" / "threads.yaml").write_text("type: threads\nexpire_after: 1d\n")
    fill(tmp_path / ".gsws" / "threads.sqlite")
    return tmp_path / "events"


def test_who_has_threads(project):
    """Subjects with their number of threads, for people on a pipe and for programs."""
    listed = inside("threads", "list", cwd=project)
    rows = [line.split("\t")[:2] for line in listed.out.splitlines()]

    assert listed.code == 0, listed
    assert rows[0] == ["subject", "threads"]
    assert sorted(rows[1:]) == [["ann", "2"], ["bob@example.org", "1"]]
    told = inside("threads", "list", "--json", "--limit", "1", cwd=project).json
    assert (told["ok"], len(told["subjects"])) == (True, 1)


def test_the_threads_of_a_subject(project):
    """Names, sizes, times and titles; what a user wrote does not steer the terminal."""
    listed = inside("threads", "list", "-s", "ann", cwd=project)

    assert listed.code == 0, listed
    rows = [line.split("\t") for line in listed.out.splitlines()]
    assert rows[0] == ["thread", "messages", "updated", "title"]
    assert [(row[0], row[1], row[3]) for row in rows[1:]] == [
        ("two", "2", "about\\x1b[2J dogs"),
        ("one", "2", "about cats"),
    ]
    told = inside("threads", "list", "-s", "ann", "--json", cwd=project).json
    assert [(one["thread"], one["title"]) for one in told["threads"]][1] == ("one", "about cats")
    assert inside("threads", "list", "-s", "cem", cwd=project).out.splitlines() == ["\t".join(rows[0])]


def test_a_subject_is_deleted(project):
    """One thread, then all; others stay; asking is done with `--yes` where nobody can be asked."""
    refused = inside("threads", "delete", "-s", "ann", cwd=project)
    assert (refused.code, refused.err) == (
        1,
        "error: all threads of `ann` would be deleted for good\n  help: `--yes` does it\n",
    )
    one = inside("threads", "delete", "-s", "ann", "--thread", "one", "--yes", cwd=project)
    assert (one.code, one.out) == (0, "deleted 1 thread\n")
    rest = inside("threads", "delete", "-s", "ann", "--yes", "--json", cwd=project)
    assert rest.json == {"ok": True, "deleted": 1}
    assert inside("threads", "delete", "-s", "ann", "--yes", cwd=project).out == "deleted 0 threads\n"
    assert [one["subject"] for one in inside("threads", "list", "--json", cwd=project).json["subjects"]] == [
        "bob@example.org"
    ]


def test_a_person_is_asked(project):
    """On a terminal, no is the default."""
    asked = on_terminal("threads", "delete", "-s", "ann", cwd=project, typed="\n")
    assert "Delete all threads of `ann` for good? [y/N]" in asked
    assert "nothing changed" in asked
    assert "deleted 2 threads" in on_terminal("threads", "delete", "-s", "ann", cwd=project, typed="y\n")


def test_old_threads_expire(project):
    """By the age in the file, or by the one that is given."""
    path = project.parent / ".gsws" / "threads.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE gsws_threads SET updated = ? WHERE key = 'ann/one'", (time.time() - 7200,))
        connection.commit()

    assert inside("threads", "expire", cwd=project).out == "deleted 0 threads\n"
    assert inside("threads", "expire", "--older-than", "1h", cwd=project).out == "deleted 1 thread\n"
    never = inside("threads", "expire", "--older-than", "soon", cwd=project)
    assert (never.code, never.err) == (2, "error: `soon` is no duration\n  help: for example `--older-than 30d`\n")


def test_a_store_without_a_project(tmp_path):
    """`--url` names a file or a database; a file that is not there is not made."""
    fill(tmp_path / "x.sqlite")
    listed = inside("threads", "list", "--url", "sqlite:///x.sqlite", "-s", "ann", "--json", cwd=tmp_path)
    assert len(listed.json["threads"]) == 2
    missing = inside("threads", "list", "--url", "y.sqlite", cwd=tmp_path)
    assert (missing.code, missing.err) == (1, f"error: there is no file of threads `{tmp_path}/y.sqlite`\n")
    assert [path.name for path in tmp_path.iterdir()] == ["x.sqlite"]
    unsaid = inside("threads", "expire", "--url", "x.sqlite", cwd=tmp_path)
    assert (unsaid.code, unsaid.err.splitlines()[0]) == (2, "error: nothing says how old a thread may be")


def test_a_database(tmp_path):
    """The same on Postgres."""

    async def main():
        async with a_schema() as url:
            await asyncio.to_thread(fill, url)
            return await asyncio.to_thread(gsws, "threads", "delete", "-s", "ann", "--yes", "--url", url, cwd=tmp_path)

    done = within(main())
    assert (done.code, done.out) == (0, "deleted 2 threads\n"), done


def test_a_project_without_threads(tmp_path):
    """What is missing is told, and how to get it."""
    (tmp_path / "gsws.yaml").write_text("name: app\n")
    (tmp_path / "events").mkdir()

    none = inside("threads", "list", cwd=tmp_path)

    assert (none.code, none.err) == (
        1,
        "error: no datasource of type `threads` in this project\n"
        "  help: `gsws plugin add threads` writes one; `--url` names a store without a project\n",
    )


def test_several_stores_are_told_apart(project):
    """With two stores one must be named; a misspelt name gets the right one."""
    (project.parent / "datasources" / "archive.yaml").write_text("type: threads\nurl: archive.sqlite\n")

    several = inside("threads", "list", cwd=project)
    assert (several.code, several.err.splitlines()[0]) == (2, "error: there are several stores: archive, threads")
    assert inside("threads", "list", "--source", "threads", cwd=project).code == 0
    wrong = inside("threads", "list", "--source", "thread", cwd=project)
    assert (wrong.code, "threads" in wrong.err.splitlines()[1]) == (2, True)


def test_an_address_that_cannot_be_looked_up(project):
    """A variable that is not set is told; no file of its name is looked for."""
    (project.parent / "datasources" / "threads.yaml").write_text("type: threads\nurl: ${NOWHERE_SET}\n")

    told = inside("threads", "list", cwd=project)

    assert (told.code, told.err.splitlines()[0]) == (
        1,
        "error: `datasources/threads.yaml`: the environment variable `NOWHERE_SET` is not set",
    )


def test_threads_in_memory_are_out_of_reach(project):
    """A store that only the service has is not opened anew and found empty."""
    (project.parent / "datasources" / "threads.yaml").write_text("type: threads\nurl: 'memory:'\n")

    told = inside("threads", "list", cwd=project)

    assert (told.code, told.err) == (1, "error: these threads are kept in the memory of the service alone\n")


@pytest.mark.parametrize(
    "arguments", [("list", "-s", ""), ("delete", "-s", "", "--yes"), ("delete", "-s", "a", "--thread", "")]
)
def test_nobody_is_no_subject(project, arguments):
    """An empty name is a mistake in a script, and deletes nothing."""
    refused = inside("threads", *arguments, cwd=project)

    assert (refused.code, "at least one character" in refused.err) == (2, True)
