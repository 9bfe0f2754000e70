"""
Schemas for editors, made from the shapes and the plugins' schemas that gsws itself checks with.

Draft 7, which the YAML language server and JetBrains read in full; each stands alone and refers to nothing but itself.
An editor knows one file and no look-ups, so these are as strict as can be without calling anything right wrong;
`gsws validate` says the rest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from gsws.codegen.draft07 import to_draft07
from gsws.codegen.metaschema import LOOKUP, definitions_file, group_schema, optional, schema_schema, written
from gsws.project.settings import SETTINGS_SHAPE
from gsws.project.shapes.eventshape import EVENT
from gsws.project.specs import PluginFacts
from gsws.types import JSONObject
from gsws.yaml.modeline import SCHEMA_FOLDER

__all__ = ["editor_schemas", "schema_files"]

_DRAFT: Final = "http://json-schema.org/draft-07/schema#"
_KINDS: Final[Mapping[str, JSONObject]] = {
    "duration": {
        "type": ["number", "string"],
        "minimum": 0,
        "pattern": r"^\s*([0-9]+(\.[0-9]+)?\s?(ms|s|m|h|d)?\s?)+$",
        "patternErrorMessage": "expected seconds, or a duration such as 30s",
    },
    "size": {
        "type": ["integer", "string"],
        "minimum": 0,
        "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s?([kKmMgG]?[iI]?[bB])?\s*$",
        "patternErrorMessage": "expected bytes, or a size such as 64KiB",
    },
    "port": {"type": "integer", "minimum": 0, "maximum": 65535},
    "function": {"type": "string", "minLength": 1},
    "file": {"type": "string", "minLength": 1},
    "origin": {
        "type": "string",
        "pattern": r"^\*$|^[A-Za-z][A-Za-z0-9+.-]*://|\$\{|<%",
        "patternErrorMessage": "expected an origin such as https://app.example.com",
    },
    "schema": {"$ref": "#/definitions/schema"},
}
_ABOUT_KINDS: Final[Mapping[str, str]] = {
    "duration": "seconds, or a text such as `30s` or `1m30s`",
    "size": "bytes, or a text such as `64KiB` or `1MB`",
    "function": "a function of the project: `a.b` is functions/a/b.py",
    "file": "a file of the project",
}
_ABOUT: Final[Mapping[str, str]] = {
    "fn": "the function that answers: `a.b` is functions/a/b.py",
    "schema": "JSON Schema of the whole message, `eventtype` and `payload`",
    "payload": "JSON Schema of the payload alone",
    "reply": "JSON Schema of the reply's `data`",
    "emits": "event types that the function may send, each with the schema of its payload",
    "broadcasts": "event types that the function sends to rooms, each with the schema of its payload",
    "answers": "stream or reply; without it the function decides",
    "summary": "one line for the documentation",
    "concurrency": "what becomes of a message while an earlier one of the same client is answered",
    "timeout": "longest time for an answer; default 60s, none for a stream",
    "on_disconnect": "whether the function is cancelled when its client leaves; default cancel",
    "rate": "how many messages a client may send",
    "presence": "tell the members of rooms that the function joins who comes and goes: true, or a pattern: `chat.*`",
    "authn": "false: clients without a credential may send this too",
    "authz": "who may send this: a function, or `{scopes: […]}`",
    "name": "the project's name",
    "drain_timeout": "time that running requests get when the service stops; default 30s",
    "lifespan": "an async function or generator of the project that runs as long as the service",
    "log": "level and format of the log",
    "backplane": "what connects several processes: memory, nats or redis",
    "resume": "how long and how much is kept for clients that come back",
}


def editor_schemas(plugins: Mapping[str, PluginFacts]) -> dict[str, JSONObject]:
    """
    The schemas by name: ``event``, ``eventsource``, ``datasource``, ``definitions`` and ``gsws``.

    Args:
        plugins: Facts of the installed plugins; those that cannot be used are passed by.
    """
    event = _shape(EVENT, _ABOUT)
    events: JSONObject = {
        "type": "object",
        "patternProperties": {r"^x-[^.]*$": True, r"^[^.]+\..": {"$ref": "#/definitions/event"}},
        "additionalProperties": False,
    }
    return {
        "event": _document("Events of a gsws project", events, {"event": event}),
        "eventsource": _sources("An event source of a gsws project", "eventsource", plugins),
        "datasource": _sources("A datasource of a gsws project", "datasource", plugins),
        "definitions": _document("Shared JSON Schemas of a gsws project", definitions_file(), {}),
        "gsws": _document("Settings of a gsws project", _shape(SETTINGS_SHAPE, _ABOUT), {}),
    }


def schema_files(plugins: Mapping[str, PluginFacts]) -> dict[str, bytes]:
    """The schemas as files of a project: content by POSIX path relative to its root."""
    return {
        f"{SCHEMA_FOLDER}/{name}.schema.json": (json.dumps(schema, indent=1, ensure_ascii=False) + "\n").encode()
        for name, schema in editor_schemas(plugins).items()
    }


def _document(title: str, schema: JSONObject, definitions: Mapping[str, Any]) -> JSONObject:
    """A schema that stands alone, with those of the common definitions that it refers to."""
    common = {"lookup": LOOKUP, "schema": schema_schema(), "group": group_schema(), **definitions}
    needed: dict[str, Any] = {}
    todo = [json.dumps(schema)]
    while todo:
        text = todo.pop()
        for name, inner in common.items():
            if name not in needed and f'"#/definitions/{name}"' in text:
                needed[name] = inner
                todo.append(json.dumps(inner))
    ordered = {name: needed[name] for name in common if name in needed}
    return {"$schema": _DRAFT, "title": title, **schema, "definitions": ordered}


def _sources(title: str, role: str, plugins: Mapping[str, PluginFacts]) -> JSONObject:
    """A file whose ``type`` tells which plugin's schema counts."""
    usable = {
        type: facts
        for type in sorted(plugins)
        if (facts := plugins[type]).error is None and facts.source_type in (role, "both")
    }
    # Keys that belong to no plugin are known once the type is; a type that is missing is all there is to say before.
    types: JSONObject = {"description": "the plugin", "enum": list(usable)} if usable else {"type": "string"}
    schema: JSONObject = {"type": "object", "required": ["type"], "properties": {"type": types}}
    definitions: dict[str, Any] = {}
    branches = []
    for type, facts in usable.items():
        name = f"type-{type}"
        definitions[name] = _plugin(facts, name)
        condition = {"properties": {"type": {"const": type}}, "required": ["type"]}
        branches.append({"if": condition, "then": {"$ref": f"#/definitions/{name}"}})
    if branches:
        schema["allOf"] = branches
    if role == "datasource":
        made = {"type": "object", "required": ["fn"], "properties": {"fn": _kind("function")}}
        schema = {"if": {"type": "object", "required": ["fn"]}, "then": made, "else": schema}
    return _document(title, schema, definitions)


def _plugin(facts: PluginFacts, name: str) -> Any:
    converted = to_draft07(facts.schema, f"#/definitions/{name}")
    if not isinstance(converted, dict):
        return True
    shape = _shape(converted, {})
    properties = shape.get("properties")
    if isinstance(properties, dict):
        # A schema need not name the key that chose it.
        properties["type"] = {"const": facts.type}
    return shape


def _shape(shape: Any, about: Mapping[str, str]) -> Any:
    """A shape of `gsws.project.shapes.shapes` in the words of draft 7."""
    if not isinstance(shape, Mapping):
        return shape
    if "x-gsws-inert" in shape:
        return {"description": f"does nothing here: {shape['x-gsws-inert']}"}
    if "x-gsws-kind" in shape:
        kind = _kind(shape["x-gsws-kind"])
        description = shape.get("description")
        return {"description": description, **kind} if description else kind
    out: JSONObject = {}
    required = shape.get("required") or ()
    for keyword, value in shape.items():
        if keyword.startswith("x-gsws-"):
            continue
        if keyword in ("properties", "patternProperties") and isinstance(value, Mapping):
            out[keyword] = {
                key: _described(_key(_shape(inner, {}), needed=key in required), about.get(key))
                for key, inner in value.items()
            }
        elif keyword in ("additionalProperties", "items", "not", "contains", "if", "then", "else"):
            out[keyword] = _shape(value, {})
        elif keyword in ("anyOf", "allOf", "oneOf"):
            out[keyword] = [_shape(inner, {}) for inner in value]
        elif keyword == "definitions":
            out[keyword] = {key: _shape(inner, {}) for key, inner in value.items()}
        else:
            out[keyword] = value
    if out.get("additionalProperties") is False:
        out["patternProperties"] = {**out.get("patternProperties", {}), "^x-": True}
    return out


def _kind(kind: str) -> JSONObject:
    about = _ABOUT_KINDS.get(kind)
    shape = _KINDS.get(kind, {})
    return {"description": about, **shape} if about else shape


def _key(shape: Any, *, needed: bool) -> Any:
    """The value of a key as it may be written; a description stays outside, where editors look for it."""
    if not isinstance(shape, dict) or "const" in shape or not shape.keys() - {"description"}:
        return shape
    inner = {keyword: value for keyword, value in shape.items() if keyword != "description"}
    return _described(written(inner) if needed else optional(inner), shape.get("description"))


def _described(shape: Any, description: str | None) -> Any:
    return {**shape, "description": description} if description and isinstance(shape, dict) else shape
