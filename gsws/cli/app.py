"""
The commands, their arguments and their help texts.

Each body imports its command when it runs, so that `gsws --help` costs typer alone. What a command
does is in `gsws.cli.commands`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

from gsws.cli import output, threads_group
from gsws.cli.options import JSON, Env, PayloadFile, Values, group

__all__ = ["command"]

_app = group(
    "Real-time WebSocket services and streaming agents, declared in files.",
    "To begin: gsws init my-app, then cd my-app, then gsws serve.",
)
_plugins = group("Add, remove and show plugins.")
_keys = group("Make, show and revoke API keys.")
_new = group("Write one element of a project, wired and working.")


@_app.callback()
def _root(
    version: Annotated[bool, Option("--version", "-V", help="Print the version.")] = False,
) -> None:
    if version:
        from gsws.__about__ import __version__

        output.result(f"gsws {__version__}")
        raise typer.Exit(output.GOOD)


@_app.command("init")
def _init(
    directory: Annotated[str, Argument(metavar="DIR", help="Where; made if it is not there.")] = ".",
    template: Annotated[
        str, Option("--template", "-t", help="What to start from: starter, agent or bare.", metavar="NAME")
    ] = "starter",
    json: JSON = False,
) -> int:
    """Write a new project: files only, no network."""
    from gsws.cli.commands import init

    return init.run(directory, template=template, as_json=json)


@_app.command("serve")
def _serve(
    host: Annotated[str | None, Option(help="Listen here, whatever the YAML says.", metavar="HOST")] = None,
    port: Annotated[int | None, Option(help="Listen on this port; 0 takes a free one.", metavar="PORT")] = None,
    env: Annotated[str | None, Option(help="Environment: development, production or your own.", metavar="NAME")] = None,
    no_reload: Annotated[bool, Option("--no-reload", help="Do not watch files.")] = False,
    workers: Annotated[int, Option(help="Number of processes.", metavar="N")] = 1,
    log_format: Annotated[
        str | None, Option(help="Log lines for people or for machines: console or json.", metavar="FORMAT")
    ] = None,
) -> int:
    """Load the project, report, bind and serve."""
    from gsws.cli.commands import serve

    return serve.run(host=host, port=port, env=env, reload=not no_reload, workers=workers, log_format=log_format)


@_app.command("call")
def _call(
    event: Annotated[str, Argument(metavar="EVENT", help="Event key, e.g. websocket.stream.")],
    values: Values = None,
    file: PayloadFile = None,
    url: Annotated[str | None, Option(help="Where; default: the project's own source.", metavar="URL")] = None,
    id: Annotated[str | None, Option(help="Request id; default: a new one.", metavar="ID")] = None,
    token: Annotated[
        str | None, Option(envvar="GSWS_TOKEN", help="Bearer token to connect with.", metavar="TOKEN")
    ] = None,
    api_key: Annotated[
        str | None, Option(envvar="GSWS_API_KEY", help="API key to connect with.", metavar="KEY")
    ] = None,
    header: Annotated[
        list[str] | None,
        Option("--header", "-H", help="Another header of the handshake; may be given often.", metavar="HEADER"),
    ] = None,
    client_id: Annotated[
        str | None, Option(help="Label of the client; default: one kept for this project.", metavar="NAME")
    ] = None,
    timeout: Annotated[float, Option(help="Seconds to wait for the next frame.", metavar="SECONDS")] = 60.0,
    json: JSON = False,
) -> int:
    """Send one event and print the answer as it streams."""
    from gsws.cli.commands import call

    identity = call.Identity(client_id=client_id, token=token, api_key=api_key, headers=header or [])
    return call.run(event, values or [], file=file, url=url, id=id, identity=identity, timeout=timeout, as_json=json)


Subject = Annotated[str | None, Option("--subject", help="Everything of this user.", metavar="NAME")]
ClientId = Annotated[str | None, Option("--client-id", help="Who has this label.", metavar="NAME")]
ConnectionId = Annotated[str | None, Option("--connection", help="One connection, by its id.", metavar="ID")]
Source = Annotated[str | None, Option("--source", help="Event source; needed where there are several.", metavar="NAME")]


@_app.command("push")
def _push(
    eventtype: Annotated[str, Argument(metavar="EVENTTYPE", help="Name of the frame, e.g. order.paid.")],
    values: Values = None,
    file: PayloadFile = None,
    room: Annotated[str | None, Option(help="Everybody in this room.", metavar="NAME")] = None,
    subject: Subject = None,
    client_id: ClientId = None,
    connection: ConnectionId = None,
    source: Source = None,
    json: JSON = False,
) -> int:
    """Push a frame to clients of a running service."""
    from gsws.cli.commands import push

    target = {
        "room": room,
        "subject": subject,
        "client_id": client_id,
        "connection": connection,
        "source": source,
    }
    return push.push(eventtype, values or [], target, file=file, as_json=json)


@_app.command("disconnect")
def _disconnect(
    subject: Subject = None,
    client_id: ClientId = None,
    connection: ConnectionId = None,
    code: Annotated[int, Option(help="Close code: 1000, or 3000 to 4999.", metavar="NUMBER")] = 4504,
    reason: Annotated[str, Option(help="What is said with it.", metavar="TEXT")] = "",
    source: Annotated[str | None, Option(help="One event source; default: all.", metavar="NAME")] = None,
    json: JSON = False,
) -> int:
    """Close connections of a running service."""
    from gsws.cli.commands import push

    target = {"subject": subject, "client_id": client_id, "connection": connection, "source": source}
    return push.disconnect(target, code=code, reason=reason, as_json=json)


@_app.command("validate")
def _validate(
    paths: Annotated[
        list[Path] | None, Argument(metavar="PATHS", help="Show findings of these files and folders only.")
    ] = None,
    format: Annotated[
        str | None,
        Option(
            help="full, concise, json, github or sarif; default: full on a terminal, github in GitHub Actions, "
            "else concise.",
            metavar="FORMAT",
        ),
    ] = None,
    env: Env = "development",
    select: Annotated[
        list[str] | None, Option(help="Only findings of these codes: GS201,GS4.", metavar="CODES")
    ] = None,
    ignore: Annotated[list[str] | None, Option(help="No findings of these codes: GS201,GS4.", metavar="CODES")] = None,
    fail_level: Annotated[
        str, Option(help="Mildest finding that fails: error, warning or info.", metavar="LEVEL")
    ] = "error",
    fix: Annotated[bool, Option("--fix", help="Repair what can be repaired.")] = False,
    diff: Annotated[bool, Option("--diff", help="Show what --fix would change, and change nothing.")] = False,
    watch: Annotated[bool, Option("--watch", help="Check again after every change.")] = False,
    no_cache: Annotated[bool, Option("--no-cache", help="Read every file anew, without .gsws/cache.")] = False,
    explain: Annotated[str | None, Option(help="Print what a code means, and nothing else.", metavar="CODE")] = None,
    json: Annotated[bool, Option("--json", help="The same as --format json.")] = False,
) -> int:
    """Check the whole project without running any of it."""
    if explain is not None:
        from gsws.cli.explain import explain as show

        return show(explain, as_json=json or format == "json")
    from gsws.cli.commands import validate

    options = validate.Options(
        format="json" if json and format is None else format,
        env=env,
        select=select or (),
        ignore=ignore or (),
        fail_level=fail_level,
        fix=fix,
        diff=diff,
        watch=watch,
        cache=not no_cache,
    )
    return validate.run(paths or [], options)


@_app.command("schema")
def _schema(
    write: Annotated[bool, Option("--write", help="Write the schemas, and the lines that name them.")] = False,
    vscode: Annotated[bool, Option("--vscode", help="Also name them in .vscode/settings.json; with --write.")] = False,
    jetbrains: Annotated[
        bool, Option("--jetbrains", help="Also name them in .idea/jsonSchemas.xml; with --write.")
    ] = False,
    json: JSON = False,
) -> int:
    """Give editors the schemas of the project's YAML files."""
    from gsws.cli.commands import schema

    return schema.run(write=write, vscode=vscode, jetbrains=jetbrains, as_json=json)


@_app.command("events")
def _events(env: Env = "development", json: JSON = False) -> int:
    """Show what is routed where."""
    from gsws.cli.commands import events

    return events.run(env=env, as_json=json)


@_app.command("index")
def _index(
    name: Annotated[
        str | None, Argument(metavar="NAME", help="One datasource; default: all of type documents.")
    ] = None,
    rebuild: Annotated[bool, Option("--rebuild", help="Read every file anew.")] = False,
    env: Env = "development",
    json: JSON = False,
) -> int:
    """Index the documents that the project's agent answers from."""
    from gsws.cli.commands import index

    return index.run(name=name, rebuild=rebuild, env=env, as_json=json)


@_new.command("event")
def _new_event(
    name: Annotated[str, Argument(metavar="NAME", help="Event key, e.g. websocket.hello; or just hello.")],
    fn: Annotated[str | None, Option(help="Function that answers; made if it is not there.", metavar="NAME")] = None,
    stream: Annotated[bool, Option("--stream", help="Write a handler that streams.")] = False,
    json: JSON = False,
) -> int:
    """Write an event and the function that answers it."""
    from gsws.cli.commands import new

    return new.event(name, fn=fn, stream=stream, as_json=json)


@_new.command("function")
def _new_function(
    name: Annotated[str, Argument(metavar="NAME", help="Dotted name: a.b is functions/a/b.py.")],
    stream: Annotated[bool, Option("--stream", help="Write a function that streams.")] = False,
    json: JSON = False,
) -> int:
    """Write a function that works."""
    from gsws.cli.commands import new

    return new.function(name, stream=stream, as_json=json)


@_new.command("source")
def _new_source(
    name: Annotated[str, Argument(metavar="NAME", help="Name of the source: eventsources/NAME.yaml.")],
    type: Annotated[str, Option(help="Type of the source: an installed plugin.", metavar="TYPE")] = "websocket",
    json: JSON = False,
) -> int:
    """Write an event source on a port of its own."""
    from gsws.cli.commands import new

    return new.source(name, type=type, as_json=json)


@_plugins.command("add")
def _plugin_add(
    type: Annotated[str, Argument(metavar="NAME", help="Type of the plugin, e.g. websocket.")],
    name: Annotated[
        str | None, Option(help="Name of the source, for a second one of the type.", metavar="SOURCE")
    ] = None,
    json: JSON = False,
) -> int:
    """Write the YAML of a plugin's source; install the plugin first if need be."""
    from gsws.cli.commands import plugin

    return plugin.add(type, name=name, as_json=json)


@_plugins.command("remove")
def _plugin_remove(
    name: Annotated[str, Argument(metavar="NAME", help="Name of the source.")],
    yes: Annotated[bool, Option("--yes", "-y", help="Do not ask.")] = False,
    json: JSON = False,
) -> int:
    """Remove a source's YAML from the project; the plugin stays installed."""
    from gsws.cli.commands import plugin

    return plugin.remove(name, yes=yes, as_json=json)


@_plugins.command("list")
def _plugin_list(json: JSON = False) -> int:
    """Show the installed plugins and what this project uses."""
    from gsws.cli.commands import plugin

    return plugin.show_all(as_json=json)


@_plugins.command("info")
def _plugin_info(
    type: Annotated[str, Argument(metavar="NAME", help="Type of the plugin.")],
    json: JSON = False,
) -> int:
    """Show one plugin: where it comes from, what its YAML may say."""
    from gsws.cli.commands import plugin

    return plugin.show(type, as_json=json)


@_app.command("fake-gemini")
def _fake_gemini(
    port: Annotated[int, Option(help="Listen on this port; 0 takes a free one.", metavar="PORT")] = 8089,
    host: Annotated[str, Option(help="Listen here.", metavar="HOST")] = "127.0.0.1",
    delay: Annotated[float, Option(help="Seconds before each token.", metavar="SECONDS")] = 0.04,
    script: Annotated[Path | None, Option(help="What to answer: a YAML list of turns.", metavar="FILE")] = None,
    record: Annotated[
        Path | None, Option(help="Ask the real API and write the conversation here.", metavar="FILE")
    ] = None,
    replay: Annotated[Path | None, Option(help="Answer from a recorded conversation.", metavar="FILE")] = None,
    upstream: Annotated[str | None, Option(help="Record from this API instead.", metavar="URL")] = None,
    any_key: Annotated[bool, Option("--any-key", help="Take every key, not only fake-key.")] = False,
) -> int:
    """Stand in for the Gemini API: no key, no network."""
    from gsws.cli.commands import fake_gemini

    options = fake_gemini.Options(
        host=host,
        port=port,
        delay=delay,
        script=script,
        record=record,
        replay=replay,
        upstream=upstream,
        any_key=any_key,
    )
    return fake_gemini.run(options)


File = Annotated[str | None, Option("--file", help="File of keys; default: the project's.", metavar="FILE")]


@_keys.command("add")
def _keys_add(
    subject: Annotated[str, Option("--subject", "-s", help="Whose key it is.", metavar="NAME")],
    scope: Annotated[list[str] | None, Option(help="What it may do; may be given often.", metavar="SCOPE")] = None,
    id: Annotated[str | None, Option(help="Name of the key; default: a new one.", metavar="ID")] = None,
    expires: Annotated[
        str | None, Option(help="When it ends, e.g. 2027-01-31; default: never.", metavar="TIME")
    ] = None,
    file: File = None,
    json: JSON = False,
) -> int:
    """Make a key and print it, once; the file holds its hash."""
    from gsws.cli.commands import keys

    return keys.add(subject=subject, scopes=scope or [], id=id, expires=expires, file=file, as_json=json)


@_keys.command("list")
def _keys_list(file: File = None, json: JSON = False) -> int:
    """Show the keys: whose they are and what they may do."""
    from gsws.cli.commands import keys

    return keys.show(file=file, as_json=json)


@_keys.command("revoke")
def _keys_revoke(
    id: Annotated[str, Argument(metavar="ID", help="Name of the key, as `gsws keys list` shows it.")],
    file: File = None,
    json: JSON = False,
) -> int:
    """Take a key out of the file; who is connected by it is cut off."""
    from gsws.cli.commands import keys

    return keys.revoke(id, file=file, as_json=json)


@_app.command("completion")
def _completion(
    shell: Annotated[str, Argument(metavar="SHELL", help="bash, zsh, fish, powershell or pwsh.")],
) -> int:
    """Print a completion script, to be sourced by your shell."""
    from gsws.cli.commands import completion

    return completion.run(shell)


_app.add_typer(_new, name="new")
_app.add_typer(_plugins, name="plugin")
_app.add_typer(_keys, name="keys")
_app.add_typer(threads_group.commands, name="threads")


def command() -> Any:
    """The whole command, ready for its arguments, or for a shell that asks what may follow."""
    if "_GSWS_COMPLETE" in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined]  # of typer, though unlisted

        completion_init()
    return typer.main.get_command(_app)
