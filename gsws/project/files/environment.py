"""
The variables that look-ups see: the process's environment over those of ``.env``.

The process's own environment is never changed; a handler that wants a variable of ``.env`` reads it from the config.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Final

from gsws.diagnostics.finding import Finding, error
from gsws.text.span import Span

__all__ = ["parse_dotenv"]

_REFERENCE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_SINGLE: Final = re.compile(r"\A\s*(?:export\s+)?'?[^=#']*'?\s*=\s*'")
"""What stands in single quotes is taken as it is, as shells do."""

_MAX_VALUE: Final = 100_000


def parse_dotenv(path: str, raw: bytes, environ: Mapping[str, str]) -> tuple[dict[str, str], list[Finding]]:
    """
    Read a ``.env`` file.

    Args:
        path: As spans carry it.
        raw: The file's bytes.
        environ: The process's variables; they win, also inside ``${NAME}``.

    Returns:
        The variables that the file adds to ``environ``, and what is wrong with the file. No finding quotes a value.
    """
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        line = raw[: failure.start].count(b"\n") + 1
        return {}, [error("GS004", f"not UTF-8 at byte {failure.start}", Span(path, line, 1, line, 1))]
    # Costs more than the rest of this package; only projects with such a file pay.
    from dotenv.parser import parse_stream

    values: dict[str, str] = {}
    findings: list[Finding] = []
    for binding in parse_stream(io.StringIO(text)):
        if binding.error or (binding.key is not None and "\x00" in binding.key):
            skipped = len(binding.original.string) - len(binding.original.string.lstrip("\r\n"))
            line = binding.original.line + binding.original.string[:skipped].count("\n")
            findings.append(
                error("GS003", "this line is no `NAME=value`", Span(path, line, 1, line, 1), "not understood")
            )
        elif binding.key is not None and binding.value is not None and binding.key not in environ:
            if _SINGLE.search(binding.original.string):
                values[binding.key] = binding.value
                continue
            unset: list[str] = []
            values[binding.key] = _interpolate(binding.value, values, environ, unset)
            if unset:
                skipped = len(binding.original.string) - len(binding.original.string.lstrip("\r\n"))
                line = binding.original.line + binding.original.string[:skipped].count("\n")
                findings.append(
                    error(
                        "GS501",
                        f"`{binding.key}` needs the variable `{unset[0]}`, which is not set",
                        Span(path, line, 1, line, 1),
                        "looked up here",
                        f"set it before this line, give a default (`${{{unset[0]}:-default}}`), or write single quotes",
                    )
                )
    return values, findings


def _interpolate(value: str, values: Mapping[str, str], environ: Mapping[str, str], unset: list[str]) -> str:
    def look_up(match: re.Match[str]) -> str:
        name, default = match.group(1), match.group(2)
        if default is None and name not in environ and name not in values:
            unset.append(name)
        return environ.get(name) or values.get(name) or default or ""

    if "${" not in value:
        return value
    # Ten lines that each double the one before must not make a gigabyte.
    expanded = _REFERENCE.sub(look_up, value)
    return expanded if len(expanded) <= _MAX_VALUE else value
