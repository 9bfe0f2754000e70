"""
Every finding there is: code, severity, title and an explanation for ``--explain`` and the docs.

Who emits a code lives elsewhere. A code never changes its meaning; the severity here is the usual one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from gsws.diagnostics.finding import Severity

__all__ = ["CATALOGUE", "Entry"]


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One kind of finding.

    Attributes:
        code: ``GS201``.
        severity: The usual one.
        title: What is wrong, a few words.
        explanation: Why it is a finding and what to do about it, as plain paragraphs.
        ignorable: Whether ``# gsws: ignore[…]`` silences it although it is an error; warnings and notes always can be.
        fixable: Whether ``gsws validate --fix`` repairs it, at least when the repair is certain.
    """

    code: str
    severity: Severity
    title: str
    explanation: str
    ignorable: bool = False
    fixable: bool = False


_E, _W, _I = Severity.ERROR, Severity.WARNING, Severity.INFO

_ENTRIES: Final = (
    Entry(
        "GS001",
        _E,
        "not a gsws project",
        "Neither this folder nor one above it holds a `gsws.yaml` or the folders `events` and "
        "`eventsources`. `gsws init .` makes this folder a project.",
    ),
    Entry(
        "GS003",
        _E,
        "a file cannot be read",
        "The operating system refused to give the file, or it is larger than 1 MB. Check its "
        "permissions, whether a link leads nowhere, and split a file that is too large.",
    ),
    Entry(
        "GS004",
        _E,
        "a file is not UTF-8",
        "Project files are UTF-8 without a byte-order mark. Save the file in that encoding; a byte-"
        "order mark is removed by `gsws validate --fix`.",
        fixable=True,
    ),
    Entry(
        "GS005",
        _W,
        "the project has no events",
        "Without a file under `events/` there is nothing that a client could call. `gsws new event` writes one.",
    ),
    Entry(
        "GS006",
        _W,
        "comment that silences nothing",
        "`# gsws: ignore[CODE]` stands where there is no such finding, perhaps because it was repaired. "
        "Remove the comment.",
        fixable=True,
    ),
    Entry(
        "GS007",
        _W,
        "comment that cannot silence",
        "`# gsws: ignore[…]` names no code, a code that there is not, or an error that stays: one after which the "
        "project could not be served as it says. Warnings and notes can be silenced, and the errors whose entry "
        "says so.",
    ),
    Entry(
        "GS008",
        _W,
        "a file that is passed by",
        "It looks like a part of the project, but stands where gsws does not look, or has another ending: events "
        "are YAML files under `events/`, sources under `eventsources/`, settings stand in `gsws.yaml`. Move or "
        "rename it as the help line says.",
    ),
    Entry(
        "GS101",
        _E,
        "YAML syntax",
        "The file is no YAML. Common causes: a tab instead of spaces, a `//` comment instead of `#`, "
        "keys of one mapping that are not indented alike, a value with `: ` in it that is not quoted.",
    ),
    Entry(
        "GS102",
        _E,
        "duplicate key",
        "A key stands twice in one mapping. YAML readers silently take one of the two, not all the "
        "same one. Remove or rename one; the finding shows both places.",
    ),
    Entry(
        "GS103",
        _W,
        "ambiguous scalar",
        "`yes`, `on`, `1:30`, `012`, `2026-01-01` and the like are text or a plain number to gsws, "
        "which reads YAML 1.2, and a boolean, another number or a time to tools that read YAML 1.1. "
        "Quotes make it text for all of them.",
        fixable=True,
    ),
    Entry(
        "GS104",
        _E,
        "aliases stand for too much",
        "Aliases that contain aliases grow exponentially, and an anchor that contains itself never "
        "ends. A file's aliases may stand for 50,000 values in all. Shared schemas belong into "
        "`definitions/`.",
    ),
    Entry(
        "GS105",
        _E,
        "several documents in one file",
        "A `---` line starts a second document. Only one is read; put the second into a file of its own.",
    ),
    Entry(
        "GS106",
        _W,
        "unquoted event key",
        "The event key has characters that some YAML readers take for syntax. Quotes keep it whole.",
        fixable=True,
    ),
    Entry(
        "GS107",
        _I,
        "no editor schema line",
        "A first line `# yaml-language-server: $schema=…` gives completion and checks in editors. "
        "`gsws schema --write` writes it.",
    ),
    Entry(
        "GS108",
        _E,
        "tag not allowed",
        "Tags such as `!include` or `!!binary` ask the reader to run something or to make a type that"
        " JSON lacks. Only the plain types of JSON exist here; quote a value that is meant as text.",
    ),
    Entry(
        "GS110",
        _E,
        "a reference leaves the project",
        "`$ref`, an include or `fn` points outside of the project or to another machine. Nothing is "
        "ever fetched and nothing outside of the project is read: copy what is needed into "
        "`definitions/` or `functions/`.",
    ),
    Entry(
        "GS201",
        _E,
        "function not found",
        "`fn: a.b.c` is the file `functions/a/b/c.py` or the function `c` in `functions/a/b.py`. "
        "Neither is there. The help line names the nearest one.",
        fixable=True,
    ),
    Entry(
        "GS202",
        _E,
        "no usable callable",
        "The handler is, in this order, the function named like the file, `handler`, `main`, or the "
        "only public function of the module. Here none fits or several do; name one with `fn: "
        "module.function`.",
    ),
    Entry(
        "GS204",
        _E,
        "handler signature cannot be called",
        "A handler takes the context, and by name `payload`, `ws` and the like. A required parameter "
        "that nothing can fill makes every call fail.",
    ),
    Entry(
        "GS205",
        _E,
        "Python syntax error",
        "The handler's module cannot be parsed. The excerpt is from that file.",
    ),
    Entry(
        "GS206",
        _E,
        "names that differ only by case",
        "Two names are the same on file systems that ignore case. Rename one.",
        ignorable=True,
    ),
    Entry(
        "GS207",
        _W,
        "unused handler module",
        "No event refers to this module. Remove it, or prefix its name with `_` if it is a helper.",
    ),
    Entry(
        "GS208",
        _W,
        "blocking call in an async handler",
        "While the call waits, no other connection is served. Await the asynchronous form, or make "
        "the handler a plain `def`: it then runs in a thread.",
    ),
    Entry(
        "GS209",
        _W,
        "heavy import at module level",
        "Such an import costs seconds at every start and reload. Import inside the function, or load "
        "it in a datasource.",
    ),
    Entry(
        "GS210",
        _E,
        "module shadows another",
        "A module of the project has the name of a standard or installed package, which other code "
        "then gets instead of its own. Rename the module.",
        ignorable=True,
    ),
    Entry(
        "GS211",
        _W,
        "undeclared emit",
        "The handler sends an event type that `emits`, or for rooms `broadcasts`, does not list. Declare it, so that "
        "it is checked and documented.",
    ),
    Entry(
        "GS213",
        _E,
        "workflow file",
        "YAML workflows under `functions/` belong to the original framework and are not run here. "
        "Write the handler in Python.",
        ignorable=True,
    ),
    Entry(
        "GS214",
        _E,
        "handler module raises on import",
        "The module is sound to read but raised an exception while it was imported. The place is the innermost line "
        "of the project; `serve` and every reload find this, `validate` imports nothing.",
    ),
    Entry(
        "GS215",
        _E,
        "datasource cannot be built",
        "The function or plugin behind a file in `datasources/` raised. The message is its exception's.",
    ),
    Entry(
        "GS216",
        _W,
        "parameter with a misspelt name",
        "The first parameter of a handler is the context whatever it is called, unless gsws fills its name, such as "
        "`payload`; a parameter with a default and another name keeps its default. This name differs from a "
        "known one by a letter or two. Correct it, or give it a name of its own.",
    ),
    Entry(
        "GS301",
        _E,
        "event key twice",
        "An event is declared in two places. Keep one; the finding shows both.",
    ),
    Entry(
        "GS302",
        _E,
        "malformed event key",
        "An event key is `<event source>.<name>`, for example `websocket.chat`.",
    ),
    Entry(
        "GS303",
        _E,
        "no such event source",
        "The part before the first dot names a file under `eventsources/`. `gsws plugin add` makes one.",
        fixable=True,
    ),
    Entry(
        "GS304",
        _E,
        "required key missing",
        "The mapping lacks a key that it must have.",
    ),
    Entry(
        "GS305",
        _E,
        "unknown key",
        "The key means nothing here and would be ignored silently elsewhere. The help line names the "
        "nearest known one.",
        fixable=True,
    ),
    Entry(
        "GS306",
        _E,
        "wrong type",
        "The value is of another type than the key takes.",
    ),
    Entry(
        "GS307",
        _E,
        "value not allowed",
        "The value is out of range or not one of those that the key takes.",
        fixable=True,
    ),
    Entry(
        "GS308",
        _E,
        "reserved event key",
        "Names such as `stream.start`, `reply` and all that begin with `gsws.` belong to the protocol, as event keys, "
        "among `broadcasts` and as subprotocols. Choose another name.",
    ),
    Entry(
        "GS309",
        _W,
        "key without effect",
        "The key is deprecated, or has a meaning in the original framework only. It is ignored here.",
    ),
    Entry(
        "GS310",
        _E,
        "settings contradict each other",
        "Two settings, for example `timeout`, `on_disconnect` and `concurrency`, exclude each other; or one "
        "contradicts the code, as `answers: reply` does of a function that yields; or two events declare one name of "
        "`broadcasts` with different schemas.",
    ),
    Entry(
        "GS401",
        _E,
        "invalid JSON Schema",
        "The schema breaks the rules of its draft (2020-12 unless `$schema` says otherwise), for "
        "example a `required` that is no list. The place is the keyword's.",
        fixable=True,
    ),
    Entry(
        "GS402",
        _E,
        "unknown schema keyword",
        "JSON Schema ignores what it does not know, so a misspelt keyword checks nothing: an error. What is "
        "like no keyword, and what generators are known to write (`nullable`, `discriminator`, `xml`), is a "
        "warning. Keywords that start with `x-` are yours. The same holds for an unknown `format`.",
        ignorable=True,
        fixable=True,
    ),
    Entry(
        "GS403",
        _W,
        "required property is not described",
        "`required` names a property that `properties` lacks; often a spelling mistake in one of the two.",
        fixable=True,
    ),
    Entry(
        "GS404",
        _E,
        "$ref does not resolve",
        "Nothing stands where `$ref` points. `#/definitions/file/Key` is `Key` in "
        "`definitions/file.yaml`; `./x.yaml#/Key` is relative to the file; `#/…` and `#name` are "
        "places in the schema itself.",
        fixable=True,
    ),
    Entry(
        "GS405",
        _E,
        "$ref cycle",
        "Following `$ref` leads back to the start without ever going into the value, so no value can "
        "be checked. A tree refers to itself through `properties` or `items`, which is fine.",
    ),
    Entry(
        "GS406",
        _I,
        "object open to unknown keys",
        "Without `additionalProperties: false` a client's misspelt key goes unnoticed.",
    ),
    Entry(
        "GS407",
        _I,
        "unbounded string or array",
        "Without `maxLength` or `maxItems` only the source's `message_bytes` limits what a client can send.",
    ),
    Entry(
        "GS408",
        _E,
        "bad regular expression",
        "A `pattern` must be a regular expression of ECMA-262, as in JavaScript with the `u` flag; a warning if it "
        "only escapes too much or backtracks without bound. One with look-around or back-references runs on an"
        " engine that goes back and forth; its work is bounded, and a value beyond the bound is "
        "refused.",
    ),
    Entry(
        "GS409",
        _W,
        "default or example fails its own schema",
        "What `default`, `examples` or an event's example shows would be refused if a client sent it.",
        ignorable=True,
    ),
    Entry(
        "GS410",
        _E,
        "unsatisfiable schema",
        "No value fits: `minLength` above `maxLength`, an empty `enum`, a `required` property that is `false`. It is "
        "a warning for a schema that says so, `false`, and for an alternative beside others.",
        ignorable=True,
    ),
    Entry(
        "GS411",
        _E,
        "schema that takes too long",
        "Alternatives in alternatives multiply: eight `anyOf` branches on each of ten levels are a billion steps for "
        "one message, and nothing else runs meanwhile. One place of a value may cost a million.",
    ),
    Entry(
        "GS412",
        _E,
        "schema that no message fits",
        "`schema` describes the whole message `{eventtype, payload}`; this one describes the payload. Use `payload:`.",
        ignorable=True,
    ),
    Entry(
        "GS413",
        _E,
        "schema contradicts the event key",
        "The `const` or `enum` of `eventtype` excludes the key under which the schema stands.",
        ignorable=True,
    ),
    Entry(
        "GS501",
        _E,
        "environment variable not set",
        "`${NAME}` has neither a value nor a default. Set it, put it into `.env`, or write `${NAME:-default}`.",
    ),
    Entry(
        "GS502",
        _E,
        "malformed expression",
        "`${…}` takes a name with an optional `:-default` or `:?message`; `<% … %>` takes a dotted "
        "look-up such as `config.a.b`. Nothing is evaluated.",
    ),
    Entry(
        "GS503",
        _E,
        "secret in a file",
        "A key or password in a file ends up in version control. Take it from the environment: `${NAME}`.",
        ignorable=True,
    ),
    Entry(
        "GS504",
        _W,
        ".env is exposed",
        "`.env` is tracked by git or readable by everyone. Add it to `.gitignore` and `chmod 600 .env`.",
    ),
    Entry(
        "GS505",
        _W,
        ".env.example differs",
        "The variables used and those in `.env.example` are not the same.",
    ),
    Entry(
        "GS506",
        _E,
        "expanded value has the wrong type",
        "After `${…}` was replaced the value is of another type than the key takes.",
    ),
    Entry(
        "GS601",
        _E,
        "unknown event source type",
        "No installed plugin has this `type`. `gsws plugin list` shows the known ones, `gsws plugin add` installs one.",
        fixable=True,
    ),
    Entry(
        "GS602",
        _E,
        "bad port",
        "Two sources listen on one port, or the port is not from 0 to 65535.",
    ),
    Entry(
        "GS603",
        _W,
        "open to the outside",
        "The source can be reached from other machines without `authn`, or from pages of any origin.",
    ),
    Entry(
        "GS604",
        _E,
        "TLS files",
        "A certificate or key is missing, unreadable, expired, or the two do not match.",
    ),
    Entry(
        "GS605",
        _W,
        "messages larger than the limit",
        "The schemas allow messages that `message_bytes` refuses.",
    ),
    Entry(
        "GS607",
        _E,
        "any origin with cookies",
        "Credentials in cookies together with `origins: ['*']` let every web page act as its visitor.",
    ),
    Entry(
        "GS608",
        _W,
        "development features in production",
        "Switch them off with `--env production`.",
    ),
    Entry(
        "GS701",
        _E,
        "plugin not installed",
        "The configuration needs a plugin that is not there. `gsws plugin add NAME` installs it.",
    ),
    Entry(
        "GS702",
        _E,
        "plugin needs another gsws",
        "The plugin states a range of versions that excludes this one.",
    ),
    Entry(
        "GS703",
        _E,
        "two plugins of one type",
        "Two installed packages give the same type. Remove one.",
    ),
    Entry(
        "GS901",
        _E,
        "internal error in a rule",
        "A rule failed by a mistake in gsws; the others ran. Please report it with the message.",
    ),
)

CATALOGUE: Final[Mapping[str, Entry]] = MappingProxyType({entry.code: entry for entry in _ENTRIES})
"""Every code with its entry, in order."""
