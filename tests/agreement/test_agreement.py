"""What `gsws validate` accepts, a service loads and enforces alike, and the reverse."""

from __future__ import annotations

import asyncio
import copy
import json
import random
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gsws.cli.entry import main
from gsws.diagnostics import Finding, Severity
from gsws.plugins.registry import facts
from gsws.project import Project, load_project
from gsws.runtime.service import Service
from tests.agreement.schemas import DEFINITIONS, schema, value
from tests.mutation.mutants import mutants
from tests.mutation.samples import ENVIRON, samples
from tests.runtime.support import served

SEED = 20261123
IMPORTED = {"GS214", "GS215"}
"""What only a service can see: it imports the handlers."""


def validated(root: Path) -> Project:
    """The project as `gsws validate` looks at it."""
    return load_project(root, environ=ENVIRON, plugins=facts(), notes=True)


def loaded(project: Project) -> list[Finding]:
    """The errors that a service meets beyond those of the project."""

    async def load() -> tuple[Finding, ...]:
        service = Service(project)
        try:
            return await service.load()
        finally:
            await service.stop()

    return [one for one in asyncio.run(load()) if one.severity is Severity.ERROR and one.code not in IMPORTED]


def write(root: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.mark.parametrize("name", samples())
def test_what_is_accepted_is_loaded(tmp_path: Path, name: str) -> None:
    """A clean project, and every seeded corruption of it that has no error, loads; none loads that has an error."""
    files = samples()[name]
    root = write(tmp_path, files)
    accepted = refused = 0
    for mutant in [None, *islice(mutants(files, SEED), 120)]:
        if mutant is not None:
            (root / mutant.path).write_text(mutant.text)
        project = validated(root)
        served_project = load_project(root, environ=ENVIRON, plugins=facts())
        assert served_project.ok() is project.ok(), mutant
        if project.ok():
            accepted += 1
            assert loaded(served_project) == [], mutant
            assert all(event.inbound is not None and event.handler is not None for event in served_project.events)
        else:
            refused += 1
        if mutant is not None:
            (root / mutant.path).write_text(files[mutant.path])
        shutil.rmtree(root / "functions" / "__pycache__", ignore_errors=True)
    assert accepted > 10
    assert refused > 40


def test_what_is_refused_is_not_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`gsws serve` ends with 1 and says the first thing that `gsws validate` says, before anything is bound."""
    files = samples()["starter"]
    root = write(tmp_path, files)
    monkeypatch.chdir(root)
    tried = 0
    for mutant in islice(mutants(files, SEED + 1), 40):
        (root / mutant.path).write_text(mutant.text)
        errors = [
            finding for finding in load_project(root, plugins=facts()).findings if finding.severity is Severity.ERROR
        ]
        if errors and tried < 8:
            tried += 1
            assert main(["serve", "--port", "0", "--no-reload"]) == 1, mutant
            assert f"error[{errors[0].code}]" in capsys.readouterr().err
            assert main(["validate", "--format", "json"]) == 1
            assert errors[0].code in {one["code"] for one in json.loads(capsys.readouterr().out)["diagnostics"]}
        (root / mutant.path).write_text(files[mutant.path])
    assert tried == 8


def test_messages_are_judged_as_the_schema_says(tmp_path: Path) -> None:
    """A running route takes and refuses what another implementation of JSON Schema takes and refuses."""
    choice = random.Random(SEED)
    declared = dict(usable(choice, tmp_path / "trial", 60))
    events = {f"websocket.e{number}": event(number, one) for number, one in declared.items()}
    files = {"events/all.yaml": json.dumps(events), "definitions/shared.yaml": json.dumps(DEFINITIONS)}
    files["functions/answer.py"] = "def answer(ctx):\n    return {'taken': True}\n"
    taken = refused = 0
    with served(tmp_path / "served", files) as service, service.client() as client:
        for number, one in declared.items():
            expected = oracle(one)
            for sent in range(14):
                payload = value(choice, one)
                answer = client.ask(f"websocket.e{number}", payload, id=f"{number}-{sent}")
                fits = expected.is_valid(payload)
                assert (answer["eventtype"] == "reply") is fits, (one, payload, answer)
                taken, refused = taken + fits, refused + (not fits)
                if not fits:
                    assert answer["payload"]["code"] == 400, answer
    assert taken > 150
    assert refused > 150


def usable(choice: random.Random, root: Path, count: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Schemas that `gsws validate` has no error about; a generated one may contradict itself."""
    write(root, {"definitions/shared.yaml": json.dumps(DEFINITIONS), "functions/answer.py": "def answer(ctx): ...\n"})
    write(root, {"eventsources/websocket.yaml": "type: websocket\nport: 0\n"})
    schemas = [schema(choice) for _ in range(count)]
    for number, one in enumerate(schemas):
        write(root, {f"events/e{number}.yaml": json.dumps({f"websocket.e{number}": event(number, one)}, indent=1)})
    refused = {
        finding.span.path
        for finding in validated(root).findings
        if finding.severity is Severity.ERROR and finding.span is not None
    }
    yield from ((number, one) for number, one in enumerate(schemas) if f"events/e{number}.yaml" not in refused)


def event(number: int, payload: dict[str, Any]) -> dict[str, Any]:
    """An event that takes such payloads; every other one describes the whole message."""
    if number % 2:
        return {"fn": "answer", "payload": payload}
    return {"fn": "answer", "schema": {"type": "object", "required": ["payload"], "properties": {"payload": payload}}}


def oracle(declared: dict[str, Any]) -> Any:
    """The schema as `jsonschema` checks it, with the definitions beside it."""

    def local(part: Any) -> Any:
        if isinstance(part, dict):
            return {
                key: item.replace("#/definitions/shared/", "#/$defs/") if key == "$ref" else local(item)
                for key, item in part.items()
            }
        return [local(item) for item in part] if isinstance(part, list) else part

    whole = {"$defs": local(copy.deepcopy(DEFINITIONS)), "allOf": [local(declared)]}
    checker = jsonschema.FormatChecker(["date", "uuid", "ipv4"])
    return jsonschema.Draft202012Validator(whole, format_checker=checker)
