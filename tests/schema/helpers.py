"""A schema in an event file, beside definitions files."""

from __future__ import annotations

from typing import Any

from gsws.diagnostics.render import render_full
from gsws.schema import Compiled, Definitions, compile_schema
from gsws.yaml.reading import parse_yaml


class Schema:
    """What became of one schema under ``e: {payload: …}`` of ``events/e.yaml``."""

    def __init__(self, text: str, definitions: dict[str, str] | None = None, path: str = "events/e.yaml") -> None:
        whole = "e:\n  payload:\n" + "".join(f"    {line}\n" for line in text.strip("\n").split("\n"))
        self.texts = {path: whole, **(definitions or {})}
        self.document = parse_yaml(path, whole.encode())
        assert self.document.data is not None, self.document.findings
        self.definitions = Definitions(
            parse_yaml(name, content.encode()) for name, content in (definitions or {}).items()
        )
        self.compiled: Compiled = compile_schema(
            self.document.data["e"]["payload"],
            document=self.document,
            pointer=("e", "payload"),
            definitions=self.definitions,
        )

    @property
    def codes(self) -> list[str]:
        return [finding.code for finding in self.compiled.findings]

    @property
    def rendered(self) -> str:
        return render_full(self.compiled.findings, self.texts.get, colour=False)

    def check(self, value: Any) -> bool:
        assert self.compiled.validator is not None, self.rendered
        return self.compiled.validator.check(value)

    def explain(self, value: Any, **more: Any) -> list[tuple[str, str, str]]:
        assert self.compiled.validator is not None, self.rendered
        return [(e.pointer, e.keyword, e.message) for e in self.compiled.validator.explain(value, **more)]

    def reasons(self, value: Any) -> list[tuple[str, str]]:
        return [(pointer, keyword) for pointer, keyword, _ in self.explain(value)]
