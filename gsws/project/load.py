"""Load a project: the one walk from files to specs and findings."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from gsws.diagnostics.finding import Label, Severity, error
from gsws.diagnostics.mask import PROCESS, Mask, names_a_secret
from gsws.project.events import Draft, draft_events
from gsws.project.files.cache import ProjectCache
from gsws.project.files.customenv import VARIABLES, from_variables
from gsws.project.files.discovery import SETTINGS, Entry, base_of, is_root
from gsws.project.files.environment import parse_dotenv
from gsws.project.files.lookups import Area, Expanded, Lookups, Unresolved, expand, plain
from gsws.project.files.merge import deep_merge
from gsws.project.files.overlaid import overlaid
from gsws.project.files.read import Reader
from gsws.project.hooks import resolve_lifespan
from gsws.project.link import Linker, resolve_function
from gsws.project.missing import absent_sources, missing_plugins
from gsws.project.network import network_findings, port_conflicts
from gsws.project.project import Project
from gsws.project.python.handlers import HandlerIndex
from gsws.project.python.shadowing import helper_names, shadowing_findings
from gsws.project.reporting.isolation import isolated
from gsws.project.reporting.outcome import collector_at_rest, has_broken_events, in_order, no_events
from gsws.project.reporting.risky import without_risky_fixes
from gsws.project.reporting.secrets import Masked
from gsws.project.reporting.wording import quoted, type_name
from gsws.project.rules.run import run_rules, silenced
from gsws.project.rules.scope import Scope
from gsws.project.settings import default_settings, read_settings
from gsws.project.shapes.eventshape import area_of
from gsws.project.sources import CheckedFile, check_datasource, check_source, name_finding
from gsws.project.sourcespecs import source_specs
from gsws.project.specs import DatasourceSpec, PluginFacts, Settings
from gsws.text.span import Pointer, Span
from gsws.yaml.document import Document

if TYPE_CHECKING:
    from gsws.schema import Definitions

__all__ = ["load_project"]

_REFERENCES: Final = ("GS0", "GS1", "GS2", "GS3", "GS5")
"""Errors after which it is not known what refers to what."""
_ENV_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


def load_project(
    root: Path,
    *,
    env: str = "development",
    environ: Mapping[str, str] | None = None,
    plugins: Mapping[str, PluginFacts] | None = None,
    cache: ProjectCache | None = None,
    notes: bool = False,
) -> Project:
    """
    Read and check everything; never raises on account of what the files say.

    Args:
        root: What `find_root` returned.
        env: Which ``config/<env>.yaml`` is merged over ``config/default.yaml``.
        environ: The variables of look-ups; ``os.environ`` when None. ``.env`` fills in what they lack.
        plugins: Facts of the installed plugins by type; see `gsws.plugins.registry.facts`.
        cache: Kept between loads by whoever reloads; unchanged files are then not read again.
        notes: Whether to look for findings of level info as well; whoever only serves does without.
    """
    cache = cache if cache is not None else ProjectCache()
    root = Path(os.path.realpath(root))
    base, both = base_of(root)
    reader = Reader(root, base, cache)
    variables = dict(os.environ if environ is None else environ)
    cache.begin()
    if not is_root(root):
        # The load goes on: half of a project still tells what is wrong with that half.
        reader.findings.append(
            error("GS001", f"`{root.name or root}` is not a gsws project", None, "", "`gsws init .` makes one here")
        )
    if both:
        message = "both the project's root and its `src/` hold events or sources"
        reader.findings.append(error("GS310", message, None, "", "keep one of them"))
    with collector_at_rest():
        return _Load(reader, env, variables, plugins if plugins is not None else {}, notes).project()


@dataclass(slots=True)
class _Load:
    reader: Reader
    env: str
    environ: dict[str, str]
    plugins: Mapping[str, PluginFacts]
    notes: bool
    settings_file: Document | None = None
    looked: dict[str, str] = field(default_factory=dict)
    made: list[CheckedFile] = field(default_factory=list)

    def project(self) -> Project:
        reader, cache = self.reader, self.reader.cache
        findings = reader.findings
        self.dotenv()
        settings = self.settings()
        config = self.config()
        mappings = self.mappings(config)
        lookups = Lookups(self.environ, config, mappings)
        token = cache.token("lookups", (dict(self.environ), config, mappings))

        handlers, needs = reader.handlers()
        findings += handlers.findings()
        helpers = helper_names(reader.base)
        findings += isolated("shadowing_findings", lambda: shadowing_findings(reader.root, helpers))
        findings += reader.helpers(helpers, needs)

        definitions, definitions_token = self.definitions(lookups, token)
        checked = self.sources(lookups)
        sources = source_specs(checked, handlers, findings)
        datasources = self.datasources(lookups, handlers)
        lifespan = resolve_lifespan(settings.lifespan, self.settings_file, handlers, findings)
        linker = Linker(
            sources=sources,
            declared=frozenset(checked),
            handlers=handlers,
            definitions=definitions,
            definitions_token=definitions_token,
            cache=cache,
            plugins=frozenset(self.plugins),
            absent=absent_sources(checked),
        )
        drafts = self.drafts(lookups, token)
        events = linker.link(drafts)
        findings += missing_plugins(checked, self.made, drafts)
        findings += linker.findings
        if not drafts and not has_broken_events(findings):
            findings.append(no_events(bool(checked)))
        scope = Scope(
            root=reader.root,
            base=reader.base,
            env=self.env,
            settings=settings,
            documents=reader.read,
            handlers=handlers,
            helpers=tuple(reader.imported),
            drafts=tuple(drafts),
            events=events,
            checked=checked,
            sources=sources,
            cache=cache,
            unresolved=any(one.severity is Severity.ERROR and one.code[:3] in _REFERENCES for one in findings),
            notes=self.notes,
        )
        findings += run_rules(scope)
        masked = Masked(findings)
        mask = self.mask(scope)
        findings = list(mask.findings(masked.applied(silenced(scope, findings), reader.text_of)))
        findings = without_risky_fixes(findings, scope.files())
        return Project(
            root=reader.root,
            base=reader.base,
            env=self.env,
            settings=settings,
            sources=MappingProxyType(sources),
            events=events,
            handlers=handlers,
            definitions=definitions,
            mappings=MappingProxyType(mappings),
            config=MappingProxyType(config),
            datasources=MappingProxyType(datasources),
            lifespan=lifespan,
            findings=in_order(findings),
            files=cache.finish(),
            environ=MappingProxyType(self.environ),
            read_text=reader.text_of,
            shown_text=partial(masked.shown, reader.text_of),
            mask=mask,
        )

    def mask(self, scope: Scope) -> Mask:
        """What no finding of this load may show; the process remembers it for its logs and errors."""
        mask = Mask(every=True)
        mask.learn(self.looked)
        named = {name for facts in scope.python() for name in facts.code.variables}
        PROCESS.learn(self.looked)
        PROCESS.learn({name: text for name, text in self.environ.items() if name in named or names_a_secret(name)})
        return mask

    def look_up(self, document: Document, lookups: Lookups, area: Area = "keys") -> Expanded:
        """A document after look-ups, with what it looked up remembered."""
        expanded = expand(document, lookups, area)
        self.looked |= expanded.looked
        return expanded

    def dotenv(self) -> None:
        raw = self.reader.raw(".env")
        if raw is not None:
            values, findings = parse_dotenv(".env", raw, self.environ)
            self.environ |= values
            self.looked |= values
            self.reader.findings += findings

    def settings(self) -> Settings:
        document = self.settings_file = self.reader.one(SETTINGS)
        if document is None:
            return default_settings(self.reader.root)
        settings, findings = read_settings(self.reader.root, self.look_up(document, Lookups(self.environ)))
        self.reader.findings += findings
        return settings

    def config(self) -> dict[str, Any]:
        """``config/default.yaml`` under ``config/<env>.yaml``; neither needs to be there."""
        reader = self.reader
        if not _ENV_NAME.fullmatch(self.env):
            reader.findings.append(
                error(
                    "GS307",
                    f"{quoted(self.env)} is no name of an environment",
                    None,
                    "",
                    "use letters, digits, `_` and `-`",
                )
            )
        found = {
            entry.inner[-1].rpartition(".")[0]: document for entry, document in reader.documents("config", deep=False)
        }
        config: dict[str, Any] = {}
        for name in dict.fromkeys(("default", self.env)):
            if name in found:
                value = self.value(found[name], Lookups(self.environ), "keys")
                if isinstance(value, dict):
                    config = deep_merge(config, value)
                elif value is not None:
                    self.not_a_mapping(found[name], value)
        if VARIABLES in found:
            named = found[VARIABLES]
            reader.findings += named.findings
            config = deep_merge(config, from_variables(named, self.environ, self.looked, reader.findings))
        return config

    def mappings(self, config: Mapping[str, Any]) -> dict[str, Any]:
        mappings: dict[str, Any] = {}
        lookups = Lookups(self.environ, config)
        for name, _, document in self.named("mappings"):
            value = self.value(document, lookups, "data")
            if value is not None:
                mappings[name] = value
        return mappings

    def value(self, document: Document, lookups: Lookups, area: Area) -> Any:
        expanded = self.look_up(document, lookups, area)
        self.reader.findings += [*document.findings, *expanded.findings]
        return expanded.data

    def definitions(self, lookups: Lookups, token: int) -> tuple[Definitions, int]:
        # The engine behind is worth its import only when a project has something to check.
        from gsws.schema import Definitions

        reader, cache = self.reader, self.reader.cache
        documents = []
        for entry, document in reader.documents("definitions"):
            expanded = self.expanded(entry, document, lookups, token, "schema")
            reader.findings += [*document.findings, *expanded.findings]
            documents.append(overlaid(document, plain(expanded.data) if expanded.failed else expanded.data))
        number = cache.token("definitions", tuple((one.path, one.text, one.data) for one in documents))
        made: Definitions = cache.derived(("definitions", number), cache, lambda: Definitions(documents))
        reader.findings += made.findings()
        return made, number

    def sources(self, lookups: Lookups) -> dict[str, CheckedFile]:
        checked: dict[str, CheckedFile] = {}
        for name, entry, document in self.named("eventsources"):
            wrong = name_finding(name, entry.shown)
            if wrong is not None:
                self.reader.findings.append(wrong)
            checked[name] = check_source(name, self.look_up(document, lookups), self.plugins)
        for one in checked.values():
            path = one.expanded.document.path
            if not one.absent:
                one.findings += isolated("network_findings", partial(network_findings, one, self.reader.root), path)
            self.reader.findings += one.findings
        self.reader.findings += isolated("port_conflicts", lambda: port_conflicts(checked.values()))
        return checked

    def datasources(self, lookups: Lookups, handlers: HandlerIndex) -> dict[str, DatasourceSpec]:
        specs = {}
        for name, entry, document in self.named("datasources"):
            one = check_datasource(name, self.look_up(document, lookups), self.plugins)
            self.made.append(one)
            wrong = name_finding(name, entry.shown)
            self.reader.findings += [*one.findings, *([wrong] if wrong else [])]
            handler = None
            for place in one.functions:
                named = one.written[place[0]] if place == ("fn",) else None
                if isinstance(named, str) and not isinstance(named, Unresolved):
                    handler = resolve_function(named, document, place, handlers, self.reader.findings, signature=False)
            if one.type or "fn" in one.written:
                specs[name] = DatasourceSpec(
                    name,
                    entry.shown,
                    document,
                    MappingProxyType(dict(one.config)),
                    one.type or None,
                    handler,
                    one.type_span,
                )
        return specs

    def drafts(self, lookups: Lookups, token: int) -> list[Draft]:
        reader, cache = self.reader, self.reader.cache
        drafts: list[Draft] = []
        for entry, document in reader.documents("events"):
            expanded = self.expanded(entry, document, lookups, token, area_of)
            file = cache.derived(("drafts", entry.path), expanded, partial(draft_events, expanded))
            reader.findings += file.findings
            drafts += file.drafts
        return drafts

    def expanded(
        self,
        entry: Entry,
        document: Document,
        lookups: Lookups,
        token: int,
        area: Callable[[Pointer], Area] | Area,
    ) -> Expanded:
        """A document after look-ups; made anew only if it or what it looks up has changed."""
        text = document.text
        key = ("expanded", entry.path, token if "${" in text or "<%" in text else 0)
        expanded: Expanded = self.reader.cache.derived(key, document, lambda: expand(document, lookups, area))
        self.looked |= expanded.looked
        return expanded

    def named(self, folder: str) -> Iterable[tuple[str, Entry, Document]]:
        """The files of a folder whose names are the names of what they declare; a name counts once."""
        first: dict[str, Entry] = {}
        for entry, document in self.reader.documents(folder, deep=False):
            name = entry.inner[-1].rpartition(".")[0]
            if name in first:
                self.reader.findings.append(
                    error(
                        "GS301",
                        f"`{entry.shown}` and `{first[name].shown}` both declare `{name}`",
                        Span.top(entry.shown),
                        "",
                        "keep one of them",
                        [Label(Span.top(first[name].shown), "the other one")],
                    )
                )
                continue
            first[name] = entry
            yield name, entry, document

    def not_a_mapping(self, document: Document, value: Any) -> None:
        message = f"a config file is a mapping, found {type_name(value)}"
        self.reader.findings.append(error("GS306", message, document.value_span(())))
