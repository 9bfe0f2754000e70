"""What the reference says about names, numbers and files is what the code has."""

from __future__ import annotations

import itertools
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

import gsws
from gsws.eventsources.websocket.schema import CONFIG_SCHEMA, DEFAULTS
from gsws.plugins.registry import facts
from gsws.project import load_project
from gsws.project.shapes.eventshape import EVENT
from gsws.protocol.closecodes import CloseCode
from gsws.protocol.errors import ERRORS
from gsws.routing.adapt import GETTERS
from gsws.routing.context import GSContext
from gsws.runtime.requests.handlersocket import HandlerSocket
from tests.docs.pages import DOCS, ROOT, pages, prose, title
from tests.e2e.serving import write_project

PROTOCOL = DOCS / "reference" / "protocol.md"
HTTP = DOCS / "reference" / "http.md"
FORMAT = DOCS / "reference" / "project-format.md"
HANDLERS = DOCS / "reference" / "handlers.md"
POINTS = re.findall(r"^### (P\d+\.\d+) ", PROTOCOL.read_text(encoding="utf-8"), re.MULTILINE)
LARGEST_PICTURE = 200_000


@cache
def text_of_tests() -> str:
    """All tests but the one that only lists points."""
    files = (path for path in (ROOT / "tests").rglob("test_*.py") if path.name != "test_promises.py")
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def rows(page: Path, others: int = 0) -> dict[str, list[str]]:
    """Table rows whose first cell is one name in backquotes: name -> the other cells, `others` in number if given."""
    found = {}
    for line in page.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if cells and re.fullmatch(r"`[^`]+`", cells[0]) and len(cells) - 1 == (others or len(cells) - 1):
            found[cells[0].strip("`")] = cells[1:]
    return found


def test_the_protocol_has_points() -> None:
    """The list that the next test goes through is not empty, and a point is defined once."""
    assert len(POINTS) > 20
    assert len(set(POINTS)) == len(POINTS)


@pytest.mark.parametrize("point", POINTS)
def test_each_point_that_is_promised_has_a_test_that_names_it(point: str) -> None:
    """What the protocol's page defines is tested by name."""
    assert re.search(rf"\b{re.escape(point)}\b", text_of_tests())


def test_points_that_are_mentioned_are_defined() -> None:
    """No page sends its reader to a point that the protocol's page does not have."""
    mentioned = {point for page in pages() for point in re.findall(r"\bP\d+\.\d+\b", prose(page))}

    assert mentioned <= set(POINTS)


def test_the_table_of_errors_is_the_codes_own() -> None:
    """Name, code and retryability of each error."""
    documented = rows(PROTOCOL, 3)
    for name, kind in ERRORS.items():
        code, retryable, _ = documented[name]
        assert code == ("the status's" if name == "failed" else str(kind.code)), name
        assert retryable == ("yes" if kind.retryable else "no"), name


def test_every_close_code_is_documented() -> None:
    """Whatever closes a connection can be looked up; 1000, 1003 and 1011 mean what the RFC says."""
    text = PROTOCOL.read_text(encoding="utf-8")

    assert [code for code in CloseCode if code not in (1000, 1003, 1011) and str(int(code)) not in text] == []


def test_the_documented_limits_are_the_defaults() -> None:
    """The page's figures are those that a source has when its file says nothing."""
    documented = {name: cells[0] for name, cells in rows(PROTOCOL).items() if name in DEFAULTS["limits"]}

    assert documented == {
        "message_bytes": "1 MiB",
        "json_depth": "64",
        "in_flight": "32 a connection",
        "queue": "1,000 a connection",
        "queue_bytes": "1 MiB a connection",
        "rate": "off",
        "send_buffer": "1 MiB",
        "connections": "10,000",
        "connections_per_ip": "off",
        "connections_per_subject": "1,000",
        "connect_rate": "off",
        "handshake_timeout": "10 s",
    }
    limits = DEFAULTS["limits"]
    assert sorted(documented) == sorted(limits)
    assert (limits["message_bytes"], limits["send_buffer"], limits["json_depth"]) == ("1MiB", "1MiB", 64)
    assert (limits["in_flight"], limits["connections"], limits["handshake_timeout"]) == (32, 10000, "10s")
    assert (limits["queue"], limits["queue_bytes"]) == (1000, "1MiB")
    assert limits["connections_per_subject"] == 1000
    assert limits["connections_per_ip"] == limits["rate"]["messages"] == limits["connect_rate"]["connections"] == 0


def test_every_limit_that_is_counted_is_documented() -> None:
    """What the code counts as ``limits.NAME``, by itself or as the `limit` of a refusal, stands on the page."""
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "gsws").rglob("*.py"))
    counted = set(re.findall(r'(?:"limits\.|\blimit="|\btoo_many\(")(\w+)"', code))

    assert {"connections", "json_depth", "rate"} <= counted
    assert counted - set(re.findall(r"`limits\.(\w+)`", HTTP.read_text(encoding="utf-8"))) == set()


def test_names_of_the_protocol_are_no_event_keys(tmp_path: Path) -> None:
    """P2.5: each name that the page reserves is refused, also if there is an event source of its first word."""
    section = re.search(r"^### P2\.5 .*?^## ", PROTOCOL.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert section is not None
    names = [name for name in re.findall(r"`([a-z.]+)`", section[0]) if name != "gsws."]
    assert len(names) == 6
    for name in ("gsws.anything", *names):
        root = write_project(
            tmp_path / name,
            {
                f"eventsources/{name.partition('.')[0]}.yaml": "type: websocket\n",
                "functions/f.py": "async def f(payload): ...\n",
                "events/one.yaml": f'"{name}": {{fn: f}}\n',
            },
        )
        codes = [finding.code for finding in load_project(root, plugins=facts()).findings]
        assert "GS308" in codes, (name, codes)


def test_every_frame_of_the_protocol_is_documented() -> None:
    """What a server understands or says as ``gsws.…`` stands on the protocol's page."""
    code = [path.read_text(encoding="utf-8") for path in (ROOT / "gsws" / "runtime" / "dispatch").glob("*.py")]
    frames = set(re.findall(r'"(gsws\.[a-z]+)"', "\n".join(code)))
    text = PROTOCOL.read_text(encoding="utf-8")

    assert len(frames) >= 15
    assert [name for name in sorted(frames) if not re.search(rf"{re.escape(name)}\b", text)] == []


def test_every_key_of_a_file_is_documented() -> None:
    """Of events and of `type: websocket`: each key, and each of ``limits``, has a row of a table."""
    cells = [line.split("|")[1] for line in FORMAT.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    documented = {name.partition(".")[0] for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
    source = CONFIG_SCHEMA["properties"]
    keys = {key for key, shape in EVENT["properties"].items() if "x-gsws-inert" not in shape}
    keys |= {*source, *source["limits"]["properties"], *source["authn"]["properties"]}

    assert sorted(keys - documented) == []


@pytest.mark.parametrize("name", [name for name in gsws.__all__ if name != "__version__"])
def test_every_public_name_has_an_entry(name: str) -> None:
    """An entry is a heading, and says how to import the name."""
    text = HANDLERS.read_text(encoding="utf-8")

    assert f"\n## {name}\n\n`from gsws import {name}`\n" in text


def test_everything_a_handler_may_use_is_documented() -> None:
    """Parameters by name, and what the context and the connection have."""
    text = HANDLERS.read_text(encoding="utf-8")
    context = [name for name in vars(GSContext) if not name.startswith("_")]
    socket = [
        name for name in vars(HandlerSocket) if not name.startswith("_") and name not in ("CONNECTING", "CLOSING")
    ]

    assert [name for name in GETTERS if not re.search(rf"{re.escape(name)}\b", text)] == []
    assert [name for name in context if f"`{name}`" not in text and f"ctx.{name}(" not in text] == []
    assert [name for name in socket if f"ws.{name}" not in text] == []


def test_every_dependency_has_its_reason() -> None:
    """Each library that is installed with gsws is explained, and none that is not."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]
    names = {re.split(r"[\[<>=; ]", requirement, maxsplit=1)[0] for requirement in required}
    page = (DOCS / "explanation" / "dependencies.md").read_text(encoding="utf-8")
    table = {
        name
        for line in page.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([^`]+)`", line.split("|")[1])
    }

    assert table == names


def test_every_page_can_be_reached() -> None:
    """From the index, link by link."""
    reached, waiting = set(), [DOCS / "index.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md" or not page.is_file():
            continue
        reached.add(page)
        links = re.findall(r"\]\(([^)\s#]+\.md)", page.read_text(encoding="utf-8"))
        waiting += [(page.parent / link).resolve() for link in links]

    assert set((ROOT / "docs").rglob("*.md")) <= reached


@pytest.mark.parametrize("page", pages(), ids=title)
def test_relative_links_lead_to_files(page: Path) -> None:
    """A link or a picture names a file that is there; pictures are small."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:|#", target):
            continue
        file = (page.parent / target.partition("#")[0]).resolve()
        assert file.exists(), target
        assert file.suffix not in (".png", ".svg") or file.stat().st_size <= LARGEST_PICTURE, target


@pytest.mark.parametrize("page", pages(), ids=title)
def test_a_paragraph_has_one_sentence_a_line(page: Path) -> None:
    """So that a change of one sentence is a change of one line; lists and tables are free."""
    lines = [line for line in prose(page).splitlines() if line and line[0] not in "|-#*<!0123456789 "]

    assert [line for line in lines if re.search(r"[a-z`)][.!?] [A-Z`]", line)] == []
