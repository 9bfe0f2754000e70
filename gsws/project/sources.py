"""
``eventsources/`` and ``datasources/``: each file checked against the facts of its plugin.

What is risky or contradictory in a checked source is `gsws.project.network`'s matter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from gsws.diagnostics.finding import Finding, error, replace
from gsws.diagnostics.suggest import nearest
from gsws.project.files.lookups import Expanded, Unresolved
from gsws.project.files.merge import deep_merge
from gsws.project.reporting.wording import quoted
from gsws.project.shapes.kinds import understood
from gsws.project.shapes.shapes import check
from gsws.project.shapes.unsaid import once, unsaid
from gsws.project.specs import PluginFacts
from gsws.text.span import Pointer, Span

__all__ = ["KNOWN_TYPES", "CheckedFile", "check_datasource", "check_source", "name_finding"]

KNOWN_TYPES: Final[Mapping[str, str]] = {
    "apollo": "GraphQL",
    "aws": "AWS",
    "axios": "HTTP client",
    "cron": "schedules",
    "elasticgraph": "Elasticsearch",
    "express": "HTTP",
    "fastify": "HTTP",
    "graphql": "GraphQL",
    "http": "HTTP",
    "kafka": "Kafka",
    "mailer": "mail",
    "mongoose": "MongoDB",
    "nats": "NATS",
    "prisma": "databases",
    "rabbitmq": "RabbitMQ",
    "redis": "Redis",
    "salesforce": "Salesforce",
    "websocket": "WebSocket",
}
"""Types that projects in the field use; naming one that is not installed is no typing error."""

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}", re.ASCII)


@dataclass(slots=True)
class CheckedFile:
    """
    A source's file after its check.

    Attributes:
        type: As written; empty if missing.
        config: Over the plugin's defaults, if the plugin is known.
        functions: Where functions of the project are named.
        files: Where files are named.
        absent: The plugin, if it is one that projects in the field use and that is not installed.
        usable: Whether the plugin is there and its config right as far as this check goes.
    """

    name: str
    expanded: Expanded
    type: str = ""
    written: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    functions: list[Pointer] = field(default_factory=list)
    files: list[Pointer] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    absent: str = ""

    @property
    def type_span(self) -> Span:
        """The value of ``type``, or the file's first key."""
        return self.expanded.document.value_span(("type",))


def name_finding(name: str, path: str) -> Finding | None:
    """Tell if a file's name cannot be a source's name."""
    if _NAME.fullmatch(name):
        return None
    return error(
        "GS307",
        f"the file's name makes the source's name {quoted(name)}, which event keys cannot begin with",
        Span.top(path),
        "",
        "use letters, digits, `_` and `-`",
    )


def check_source(name: str, expanded: Expanded, plugins: Mapping[str, PluginFacts]) -> CheckedFile:
    """Check one file of ``eventsources/``."""
    return _check(name, expanded, plugins, "eventsource")


def check_datasource(name: str, expanded: Expanded, plugins: Mapping[str, PluginFacts]) -> CheckedFile:
    """Check one file of ``datasources/``: made by a plugin (``type``) or by a function (``fn``)."""
    data = expanded.data
    if not isinstance(data, dict) or "fn" not in data:
        return _check(name, expanded, plugins, "datasource")
    checked = CheckedFile(name, expanded, written=data, config=data)
    checked.findings += [*expanded.document.findings, *expanded.findings]
    if "type" in data:
        checked.findings.append(
            error(
                "GS310",
                "a datasource is made by a plugin (`type`) or by a function (`fn`), not by both",
                expanded.document.key_span(("fn",)),
                "`type` is there too",
                "keep one of them",
            )
        )
    shape = {"type": "object", "properties": {"fn": {"x-gsws-kind": "function"}}}
    outcome = check(expanded, shape, what=f"datasource {quoted(name)}")
    checked.findings += outcome.findings
    checked.functions += outcome.functions
    return checked


def _check(
    name: str, expanded: Expanded, plugins: Mapping[str, PluginFacts], role: Literal["eventsource", "datasource"]
) -> CheckedFile:
    document, data = expanded.document, expanded.data
    checked = CheckedFile(name, expanded)
    checked.findings += [*document.findings, *expanded.findings]
    if data is None and document.findings:
        return checked
    if not isinstance(data, dict):
        what = "is empty" if data is None else "must be a mapping"
        checked.findings.append(
            error(
                "GS304" if data is None else "GS306",
                f"{role} {quoted(name)} {what}",
                document.value_span(()),
                "",
                "write `type: websocket`",
            )
        )
        return checked
    checked.written = checked.config = data
    silent = list(unsaid(expanded))
    checked.findings += silent
    type = data.get("type")
    if isinstance(type, Unresolved):
        return checked
    if not isinstance(type, str) or not type:
        if "type" in data:
            checked.findings.append(
                error("GS306", f"`type` must be the name of a plugin, found {quoted(type)}", checked.type_span)
            )
        else:
            near = nearest("type", data)
            if near:
                at = document.key_span((near[0],))
                message = f"unknown key {quoted(near[0])} in {role} {quoted(name)}, which lacks `type`"
                fix = replace(at, "type")
                checked.findings.append(error("GS305", message, at, "not known", "did you mean `type`?", (), fix))
                return checked
            checked.findings.append(
                error(
                    "GS304",
                    f"{role} {quoted(name)} lacks the required key `type`",
                    document.key_span(()),
                    "`type` is missing",
                    "add `type: websocket`",
                )
            )
        return checked
    checked.type = type
    facts = _facts(checked, plugins, role)
    if facts is not None:
        _against(checked, facts, role)
        checked.findings = once(checked.findings, silent)
    return checked


def _facts(checked: CheckedFile, plugins: Mapping[str, PluginFacts], role: str) -> PluginFacts | None:
    """The facts of the file's plugin, or None after a finding."""
    type, span = checked.type, checked.type_span
    if type not in plugins:
        near = nearest(type, [one for one, facts in plugins.items() if facts.source_type in (role, "both")])
        if type.lower() in KNOWN_TYPES and (not near or type in KNOWN_TYPES):
            checked.absent = type.lower()
        else:
            fitting = (one for one, facts in plugins.items() if facts.source_type in (role, "both"))
            installed = ", ".join(f"`{one}`" for one in sorted(fitting)) or "none"
            help = f"did you mean `{near[0]}`?" if near else f"installed: {installed}; `gsws plugin add NAME` adds one"
            fix = replace(span, near[0]) if near else None
            message = f"unknown {role} type {quoted(type)}"
            checked.findings.append(error("GS601", message, span, "no plugin gives it", help, (), fix))
        return None
    facts = plugins[type]
    if facts.error is not None:
        help = {
            "GS701": "repair or reinstall the plugin",
            "GS702": "install a version of the plugin that fits",
            "GS703": "uninstall one of them",
        }[facts.error_code]
        checked.findings.append(error(facts.error_code, facts.error, span, "this plugin", help))
        return None
    if facts.source_type not in (role, "both"):
        other = "eventsource" if role == "datasource" else "datasource"
        checked.findings.append(
            error("GS601", f"`{type}` is a {other}, no {role}", span, "", f"move the file into `{other}s/`")
        )
        return None
    return facts


def _against(checked: CheckedFile, facts: PluginFacts, role: str) -> None:
    expanded = checked.expanded
    outcome = check(expanded, facts.schema, what=f"{role} {quoted(checked.name)}")
    checked.findings += outcome.findings
    checked.functions += outcome.functions
    checked.files += outcome.files
    checked.config = deep_merge(facts.defaults, checked.written)
    if not outcome.findings and not expanded.failed and not understood(facts.schema):
        checked.findings += _by_engine(checked, facts)


def _by_engine(checked: CheckedFile, facts: PluginFacts) -> list[Finding]:
    """Check against a plugin's schema whose keywords go beyond shapes."""
    from gsws.schema import Definitions, compile_schema

    document = checked.expanded.document
    compiled = compile_schema(dict(facts.schema), document=document, pointer=(), definitions=Definitions())
    if compiled.validator is None:
        message = f"the plugin `{facts.type}` ({facts.origin}) has a config schema that does not compile"
        return [error("GS701", message, checked.type_span, "this plugin", "tell its author")]
    if compiled.validator.check(checked.written):
        return []
    findings = []
    for failure in compiled.validator.explain(checked.written):
        place = tuple(part.replace("~1", "/").replace("~0", "~") for part in failure.pointer.split("/")[1:])
        hidden = any(
            place[: len(one)] == tuple(map(str, one)) or tuple(map(str, one))[: len(place)] == place
            for one in checked.expanded.dynamic
        )
        name = ".".join(place) or "the file"
        message = (
            f"`{name}` does not fit the plugin's schema ({failure.keyword})"
            if hidden
            else f"`{name}`: {failure.message}"
        )
        findings.append(error("GS307", message, document.value_span(place)))
    return findings
