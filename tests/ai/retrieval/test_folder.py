"""`FolderIndex` as its users see it: fresh, safe from several sides, bounded."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gsws.ai.retrieval import FolderIndex, Retriever, Trouble
from tests.ai.retrieval.support import Folder, pdf, sources

DEADLINE = 60.0


def test_it_is_a_retriever(folder: Folder):
    assert isinstance(folder.index(), Retriever)


def test_a_document_just_dropped_is_found_by_the_next_question(folder: Folder):
    """No pause between the drop and the question, again and again; what is taken away is gone as soon."""
    index = folder.index()
    for number in range(20):
        assert index.search(f"dropped{number}") == []
        path = folder.write(f"{number}.md", f"# N\n\nThe dropped{number} stands here.\n")
        assert sources(index.search(f"dropped{number}")) == [f"{number}.md"]
        path.unlink()
        assert index.search(f"dropped{number}") == []


def test_a_large_folder_is_not_listed_for_every_question(folder: Folder, monkeypatch: pytest.MonkeyPatch):
    """Questions in quick succession share one look at the folder."""
    for number in range(301):
        folder.write(f"{number}.png", "x")
    folder.write("a.md", "# A\n\nalpha\n")
    index = folder.index()
    listed: list[str] = []
    really = os.scandir
    monkeypatch.setattr("gsws.ai.retrieval.folder._RARELY", 3600.0)
    monkeypatch.setattr(os, "scandir", lambda path: (time.sleep(0.5), listed.append(path), really(path))[2])
    for _ in range(5):
        assert sources(index.search("alpha")) == ["a.md"]
    assert len(listed) == 1


def test_a_search_waits_for_a_large_refresh_only_so_long(folder: Folder, monkeypatch: pytest.MonkeyPatch):
    """While many files are read, questions are answered from what is there."""
    folder.write("a.md", "# A\n\nalpha\n")
    index = folder.index(wait=0.05)
    index.refresh()
    folder.write("slow.md", "# S\n\nslow omega\n")
    reading, go_on = threading.Event(), threading.Event()
    from gsws.ai.retrieval import refresh

    really = refresh.read_document

    def slowly(path: str, raw: bytes):
        reading.set()
        assert go_on.wait(DEADLINE)
        return really(path, raw)

    monkeypatch.setattr(refresh, "read_document", slowly)
    assert sources(index.search("alpha")) == ["a.md"]
    assert reading.wait(DEADLINE)
    assert sources(index.search("alpha")) == ["a.md"]
    assert index.search("omega") == []
    assert index.status()["refreshing"]
    go_on.set()
    assert _eventually(lambda: sources(index.search("omega")) == ["slow.md"])


def test_without_refresh_only_what_was_indexed_is_found(folder: Folder):
    folder.write("a.md", "# A\n\nalpha\n")
    index = folder.index(refresh=False)
    assert index.search("alpha") == []
    index.refresh()
    assert sources(index.search("alpha")) == ["a.md"]


def test_several_threads_search_while_files_change(folder: Folder):
    """No search fails, none sees half a document, and at the end all is found."""
    for number in range(10):
        folder.write(f"{number}.md", f"# N\n\n## One\n\nword{number} alpha\n\n## Two\n\nword{number} omega\n")
    index = folder.index()
    index.refresh()
    stop = time.monotonic() + 1.0

    def search(number: int) -> int:
        count = 0
        while time.monotonic() < stop:
            found = {one.partition("#")[0] for one in sources(index.search(f"word{number}"))}
            assert found <= {f"{number}.md"}
            count += 1
        return count

    def change() -> int:
        count = 0
        while time.monotonic() < stop:
            count += 1
            folder.write(f"{count % 10}.md", f"# N\n\n## One\n\nword{count % 10} beta{count}\n")
        return count

    with ThreadPoolExecutor(9) as pool:
        jobs = [pool.submit(search, number) for number in range(8)] + [pool.submit(change)]
        assert all(job.result(DEADLINE) > 0 for job in jobs)
    for number in range(10):
        assert sources(index.search(f"word{number}"))[0].startswith(f"{number}.md")


def test_two_processes_share_one_database(folder: Folder):
    """Both refresh and search at once; neither fails, and the index is whole."""
    for number in range(60):
        folder.write(f"{number}.md", f"# N{number}\n\nword{number} alpha\n")
    script = (
        "import sys\nfrom gsws.ai.retrieval import FolderIndex\n"
        "index = FolderIndex(sys.argv[1], sys.argv[2], wait=30.0)\n"
        "for turn in range(3):\n    index.refresh(rebuild=True)\n"
        "    assert all(index.search(f'word{n}') for n in range(0, 60, 7))\n"
        "index.close()\n"
    )
    arguments = [sys.executable, "-c", script, str(folder.path), str(folder.database)]
    running = [subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in running:
        _, errors = process.communicate(timeout=DEADLINE)
        assert (process.returncode, errors) == (0, "")
    index = folder.index()
    report = index.refresh()
    assert (report.documents, report.chunks, report.unchanged) == (60, 60, 60)
    assert [sources(index.search(f"word{number}")) for number in range(60)] == [[f"{n}.md"] for n in range(60)]


def test_what_another_process_indexed_is_found_at_once(folder: Folder):
    first, second = folder.index(refresh=False), folder.index(refresh=False)
    folder.write("a.md", "# A\n\nalpha\n")
    assert second.search("alpha") == []
    first.refresh()
    assert sources(second.search("alpha")) == ["a.md"]


def test_a_copied_document_is_quoted_once(folder: Folder):
    text = "# A\n\nThe retention period of alpha records is ten years, counted from the end of the contract.\n"
    folder.write("a.md", text)
    folder.write("copy/a.md", text)
    folder.write("b.md", "# B\n\nAnother word on the retention of alpha: it may be shortened by agreement of both.\n")
    assert sorted(sources(folder.index().search("alpha retention"))) in (["a.md", "b.md"], ["b.md", "copy/a.md"])


def test_the_number_of_passages_is_bounded(folder: Folder):
    for number in range(80):
        folder.write(f"{number}.md", f"# N\n\nalpha {' '.join(f'{number}x{at}' for at in range(10))}\n")
    index = folder.index()
    assert len(index.search("alpha", k=3)) == 3
    assert len(index.search("alpha", k=10_000)) <= 50
    assert len(index.search("alpha", k=0)) == 1


def test_a_question_of_megabytes_is_answered(folder: Folder):
    folder.write("a.md", "# A\n\nalpha\n")
    assert sources(folder.index().search("alpha " + " " * 5_000_000 + "omega")) == ["a.md"]


def test_a_new_process_tries_again_what_could_not_be_read(folder: Folder, monkeypatch: pytest.MonkeyPatch):
    """A PDF whose reader was not installed is found once it is, though the file has not changed."""
    folder.write("a.pdf", pdf("alpha"))
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "pypdf", None)
        patched.setattr(
            "gsws.ai.retrieval.refresh.is_quick", lambda *_: True
        )  # in this process, where the module is missing
        report = folder.index().refresh()
        assert report.failed == [Trouble("a.pdf", 'needs pypdf: pip install "gsws[ai]"')]
    assert sources(folder.index().search("alpha")) == ["a.pdf#page=1"]


def test_status_tells_what_is_there(folder: Folder):
    folder.write("a.md", "# A\n\nalpha\n")
    folder.write("b.pdf", b"no pdf")
    index = folder.index()
    index.refresh()
    status = index.status()
    assert (status["documents"], status["chunks"], status["failed"], status["vectors"]) == (1, 1, 1, None)
    assert (status["folder"], status["database"]) == (str(folder.path), str(folder.database))


def test_a_closed_index_says_so_and_leaves_no_thread(folder: Folder):
    folder.write("a.md", "# A\n\nalpha\n")
    index = folder.index()
    index.refresh_soon()
    index.close()
    index.close()
    with pytest.raises(RuntimeError, match="the index is closed"):
        index.search("alpha")
    assert not any(thread.name == "gsws-index" for thread in threading.enumerate())


def test_a_failing_refresh_does_not_fail_the_search(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    folder.write("a.md", "# A\n\nalpha\n")
    index = folder.index()
    index.refresh()
    really = os.scandir

    def broken(path):
        raise MemoryError if Path(path) == folder.path else really(path)

    monkeypatch.setattr(os, "scandir", broken)
    with caplog.at_level(logging.ERROR):
        assert sources(index.search("alpha")) == ["a.md"]
    assert "cannot be brought up to date" in caplog.text


def test_importing_it_loads_no_agent_library():
    """A retriever of the standard library costs neither langchain nor a PDF reader."""
    script = (
        "import sys\nfrom gsws.ai.retrieval import FolderIndex\nimport gsws.datasources.documents\n"
        "heavy = {'langchain_core', 'langgraph', 'numpy', 'pypdf', 'bs4', 'langchain_google_genai'}\n"
        "print(sorted(heavy & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=DEADLINE, check=True)
    assert done.stdout == "[]\n"


def test_paths_may_be_relative(folder: Folder, monkeypatch: pytest.MonkeyPatch):
    """The working directory may change afterwards."""
    folder.write("a.md", "# A\n\nalpha\n")
    monkeypatch.chdir(folder.path.parent)
    index = FolderIndex("docs", "state/index.sqlite")
    folder.opened.append(index)
    monkeypatch.chdir("/")
    assert sources(index.search("alpha")) == ["a.md"]


def _eventually(is_so) -> bool:
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        if is_so():
            return True
        time.sleep(0.01)
    return False
