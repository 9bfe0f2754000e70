"""
``config/custom-environment-variables.yaml``: which variables of the environment replace which values of the config.

As node-config has it: a text is the name of a variable, ``{__name: VAR, __format: json}`` one whose text is parsed;
a variable that is not set or empty replaces nothing. It wins over every other file of ``config/``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from gsws.diagnostics.finding import Finding, error
from gsws.project.reporting.wording import type_name
from gsws.text.span import Pointer
from gsws.yaml.document import Document
from gsws.yaml.scalars import UNREPRESENTABLE, resolve

__all__ = ["VARIABLES", "from_variables", "variables_of"]

VARIABLES: Final = "custom-environment-variables"
"""The file's name without its ending."""

_FORMATS: Final = ("json", "yaml", "boolean", "bool", "number")


def from_variables(
    document: Document, environ: Mapping[str, str], looked: dict[str, str], findings: list[Finding]
) -> dict[str, Any]:
    """
    The part of the config that variables give.

    Args:
        document: The file.
        environ: The variables.
        looked: Takes every variable that was read, with its value.
        findings: Takes what is wrong.
    """
    if document.data is None:
        return {}
    if not isinstance(document.data, dict):
        findings.append(error("GS306", "this file is a mapping of names of variables", document.value_span(())))
        return {}
    value = _value(document, document.data, (), environ, looked, findings)
    return value if isinstance(value, dict) else {}


def variables_of(document: Document) -> dict[str, Pointer]:
    """The variables that the file names, each with a place."""
    found: dict[str, Pointer] = {}

    def walk(value: Any, pointer: Pointer) -> None:
        if isinstance(value, str):
            found.setdefault(value, pointer)
        elif isinstance(value, dict):
            for key, inner in value.items():
                if key != "__format":
                    walk(inner, (*pointer, key))

    walk(document.data, ())
    return found


def _value(
    document: Document,
    value: Any,
    pointer: Pointer,
    environ: Mapping[str, str],
    looked: dict[str, str],
    findings: list[Finding],
) -> Any:
    """What stands at a place; None if no variable is set there."""
    if isinstance(value, str):
        return _looked_up(value, environ, looked)
    if not isinstance(value, dict):
        if value is not None:
            findings.append(
                error(
                    "GS306",
                    f"the name of a variable is text, found {type_name(value)}",
                    document.value_span(pointer),
                    "not a name",
                    "write the name of the variable: `DB_PASSWORD`",
                )
            )
        return None
    if isinstance(value.get("__name"), str):
        text = _looked_up(value["__name"], environ, looked)
        return None if text is None else _parsed(document, value, pointer, text, findings)
    inner = {
        key: made
        for key, part in value.items()
        if (made := _value(document, part, (*pointer, key), environ, looked, findings)) is not None
    }
    return inner or None


def _looked_up(name: str, environ: Mapping[str, str], looked: dict[str, str]) -> str | None:
    text = environ.get(name)
    if not text:
        return None
    looked[name] = text
    return text


def _parsed(document: Document, value: Mapping[str, Any], pointer: Pointer, text: str, findings: list[Finding]) -> Any:
    format = value.get("__format")
    place = (*pointer, "__format") if "__format" in value else pointer
    if format is None:
        return text
    if format not in _FORMATS:
        message = f"`__format` must be one of {', '.join(f'`{one}`' for one in _FORMATS)}"
        findings.append(error("GS307", message, document.value_span(place), "not one of them"))
        return None
    try:
        if format in ("json", "yaml"):
            return json.loads(text)
    except (ValueError, RecursionError):
        made: Any = UNREPRESENTABLE
    else:
        made = resolve(text.strip())
    wanted = bool if format in ("boolean", "bool") else (int, float)
    if format in _FORMATS[2:] and isinstance(made, wanted) and (wanted is bool or not isinstance(made, bool)):
        return made
    what = {"json": "JSON", "yaml": "JSON", "number": "a number"}.get(format, "true or false")
    findings.append(
        error(
            "GS506",
            f"the variable `{value['__name']}` is not {what}",
            document.value_span(place),
            "asked for here",
            "set it to what is asked for, or leave `__format` out",
        )
    )
    return None
