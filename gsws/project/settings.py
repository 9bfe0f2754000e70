"""gsws.yaml: its shape, and its values typed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from gsws.diagnostics.finding import Finding, error, warning
from gsws.project.files.lookups import Expanded, Unresolved
from gsws.project.shapes.shapes import check
from gsws.project.shapes.units import duration, size
from gsws.project.specs import AccessSpec, BackplaneSpec, LogSpec, ResumeSpec, Settings

__all__ = ["SETTINGS_SHAPE", "default_settings", "read_settings"]

_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": 255}
_T = TypeVar("_T")
_LEVELS: Final = ("debug", "info", "warning", "error", "critical")

_ACCESS: Final = {
    "anyOf": [
        {"type": "boolean"},
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "requests": {"type": "number", "minimum": 0, "maximum": 1},
                "failures": {"type": "boolean"},
                "slow": {"x-gsws-kind": "duration"},
                "rate": {"type": "integer", "minimum": 1, "maximum": 100000},
            },
        },
    ]
}

SETTINGS_SHAPE: Final[Mapping[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "name": _TEXT,
        "version": {"anyOf": [_TEXT, {"type": "number"}]},
        "drain_timeout": {"x-gsws-kind": "duration"},
        "lifespan": {"x-gsws-kind": "function"},
        "log": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "level": {"enum": list(_LEVELS)},
                "format": {"enum": ["console", "json"]},
                "access": _ACCESS,
            },
        },
        "resume": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "window": {"x-gsws-kind": "duration"},
                "bytes": {"x-gsws-kind": "size"},
                "total": {"x-gsws-kind": "size"},
                "sessions": {"type": "integer", "minimum": 0},
            },
        },
        "backplane": {
            "anyOf": [
                {"enum": ["memory", "nats", "redis"]},
                {
                    "type": "object",
                    "required": ["type"],
                    "properties": {
                        "type": {"enum": ["memory", "nats", "redis"]},
                        "url": {**_TEXT, "maxLength": 2000, "x-gsws-secret": True},
                    },
                },
            ]
        },
        "telemetry": {"anyOf": [{"type": "boolean"}, {"type": "object"}]},
    },
}
"""The file's keys; ``backplane`` and ``telemetry`` may hold what their own parts understand."""


def default_settings(root: Path) -> Settings:
    """What counts without a gsws.yaml."""
    return Settings(name=root.name or "app")


def read_settings(root: Path, expanded: Expanded) -> tuple[Settings, list[Finding]]:
    """The settings as far as they are right, and what is wrong with them."""
    document = expanded.document
    findings = [*document.findings, *expanded.findings]
    if expanded.data is None:
        return default_settings(root), findings
    if not isinstance(expanded.data, dict):
        findings.append(error("GS306", "gsws.yaml must be a mapping", document.value_span(()), "not a mapping"))
        return default_settings(root), findings
    findings += check(expanded, SETTINGS_SHAPE, what="gsws.yaml").findings
    findings += _unserved(expanded)
    settings = _typed(root, expanded.data)
    written = document.data.get("version") if isinstance(document.data, dict) else None
    if isinstance(written, int | float) and not isinstance(written, bool):
        # As it stands there: 1.10 is another version than 1.1.
        settings = replace(settings, version=document.text_of(document.value_span(("version",))))
    return settings, findings


def _unserved(expanded: Expanded) -> Iterator[Finding]:
    """What this version reads but does not do: refused where somebody would rely on it, else told."""
    document, data = expanded.document, expanded.data
    backplane = _backplane(data.get("backplane")).type
    if backplane != "memory":
        place = ("backplane", "type") if isinstance(data["backplane"], dict) else ("backplane",)
        yield error(
            "GS307",
            f"the backplane `{backplane}` is not served by this version; rooms and sessions live in one process",
            document.value_span(place),
            "only `memory` is",
            "remove `backplane`, or write `memory`",
        )
    if data.get("telemetry") not in (None, False, {}):
        yield warning(
            "GS309",
            "`telemetry` has no effect: this version exports no traces or metrics",
            document.key_span(("telemetry",)),
            "without effect",
            "remove it",
        )


def _typed(root: Path, data: Mapping[str, Any]) -> Settings:
    log, resume = _mapping(data, "log"), _mapping(data, "resume")
    telemetry = data.get("telemetry")
    level, format = log.get("level"), log.get("format")
    name, version = data.get("name"), data.get("version")
    return Settings(
        name=_text(name) or root.name or "app",
        version=str(version) if isinstance(version, int | float) else _text(version) or "0.0.0",
        drain_timeout=_or(duration(data.get("drain_timeout")), 30.0),
        lifespan=_text(data.get("lifespan")),
        log=LogSpec(
            level if level in _LEVELS else "info", format if format in ("console", "json") else None, _access(log)
        ),
        resume=_resume(resume),
        backplane=_backplane(data.get("backplane")),
        telemetry=telemetry if isinstance(telemetry, dict) else {"enabled": True} if telemetry is True else {},
        written=frozenset(data),
    )


def _access(log: Mapping[str, Any]) -> AccessSpec | Literal[False] | None:
    """``true`` is a line for each request; what an object leaves out has its default."""
    written, default = log.get("access"), AccessSpec()
    if isinstance(written, bool):
        return AccessSpec(requests=1.0) if written else False
    if not isinstance(written, dict):
        return None
    requests, rate, failures = written.get("requests"), written.get("rate"), written.get("failures")
    return AccessSpec(
        float(requests) if isinstance(requests, int | float) else default.requests,
        failures if isinstance(failures, bool) else default.failures,
        _or(duration(written.get("slow")), default.slow),
        rate if type(rate) is int else default.rate,
    )


def _resume(data: Mapping[str, Any]) -> ResumeSpec:
    default, sessions = ResumeSpec(), data.get("sessions")
    return ResumeSpec(
        _or(duration(data.get("window")), default.window),
        _or(size(data.get("bytes")), default.bytes),
        _or(size(data.get("total")), default.total),
        sessions if type(sessions) is int and sessions >= 0 else default.sessions,
    )


def _backplane(value: Any) -> BackplaneSpec:
    match value:
        case "memory" | "nats" | "redis":
            return BackplaneSpec(value)
        case {"type": "memory" | "nats" | "redis" as type}:
            options = {key: option for key, option in value.items() if key not in ("type", "url")}
            url = value.get("url")
            return BackplaneSpec(type, _text(url), options)
    return BackplaneSpec()


def _mapping(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value != "" and not isinstance(value, Unresolved) else None


def _or(value: _T | None, default: _T) -> _T:
    return default if value is None else value
