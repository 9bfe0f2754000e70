"""
The text of single elements: an event, a function, an event source.

Pure functions from names to text; where a file goes and whether it may is the command's.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["event_text", "function_text", "source_text", "with_port"]


def event_text(key: str, fn: str) -> str:
    """YAML of one event whose payload is an object with a text ``message``."""
    return f"""\
{json.dumps(key)}:
  fn: {fn}
  payload:
    type: object
    required: [message]
    properties:
      message: {{type: string, maxLength: 10000}}
    additionalProperties: false
"""


def function_text(name: str, *, stream: bool, event: str | None = None) -> str:
    """
    Python of one handler that works.

    Args:
        name: Dotted name; its last part is the function's.
        stream: Yield, for a stream, instead of returning a reply.
        event: The event that it answers, for the docstring.
    """
    leaf = name.rpartition(".")[2]
    head = f'"""Answers `{event}`."""' if event else f'"""The function `{name}`."""'
    if stream:
        return f'''\
{head}


async def {leaf}(payload):
    """What is yielded leaves at once as a `stream.chunk`."""
    for word in str(payload.get("message", "")).split():
        yield f"{{word}} "
'''
    return f'''\
{head}


async def {leaf}(payload):
    """What is returned is the reply's `data`."""
    return {{"message": payload.get("message")}}
'''


def source_text(
    type: str, *, defaults: Mapping[str, Any], schema: Mapping[str, Any], text: str | None, port: int | None = None
) -> str:
    """
    YAML of one source.

    Args:
        type: The plugin's type.
        defaults: Its default config, dumped with the schema's descriptions as comments.
        schema: JSON Schema of the config.
        text: The plugin's own text, which then stands as it is.
        port: Another port than the default one.
    """
    if text is None:
        text = _dump(type, defaults, schema)
    elif not text.endswith("\n"):
        text += "\n"
    return text if port is None else with_port(text, port)


def with_port(text: str, port: int) -> str:
    """``text`` with its top-level ``port`` changed, or added at the end; comments stay."""
    changed, count = re.subn(r"(?m)^(port:[ \t]*)\d+", rf"\g<1>{port}", text, count=1)
    return changed if count else f"{text}port: {port}\n"


def _dump(type: str, defaults: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap

    content = CommentedMap({"type": type, **{key: value for key, value in _plain(defaults).items() if key != "type"}})
    properties = schema.get("properties")
    for key in content:
        about = properties.get(key) if isinstance(properties, Mapping) else None
        description = about.get("description") if isinstance(about, Mapping) else None
        if isinstance(description, str) and description:
            content.yaml_set_comment_before_after_key(key, before=" ".join(description.split()))
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 4096
    stream = io.StringIO()
    yaml.dump(content, stream)
    return stream.getvalue()


def _plain(value: Any) -> Any:
    """JSON values only, so that nothing of a plugin's own classes reaches the file as a tag."""
    return json.loads(
        json.dumps(value, default=lambda other: dict(other) if isinstance(other, Mapping) else str(other))
    )
