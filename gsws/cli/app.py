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

from gsws.cli import gemini_options, output, push_options, threads_group
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
    version: Annotated[bool, typer.Option("--version", "-V", help="Print the version.")] = False,
) -> None:
    if version:
        from gsws.__about__ import __version__

        output.result(f"gsws {__version__}")
        raise typer.Exit(output.GOOD)


@_app.command("init")
def _init(
    directory: Annotated[str, typer.Argument(metavar="DIR", help="Where; made if it is not there.")] = ".",
    template: Annotated[
        str, typer.Option("--template", "-t", help="What to start from: starter, agent or bare.", metavar="NAME")
    ] = "starter",
    json: JSON = False,
) -> int:
    """Write a new project: files only, no network."""
    from gsws.cli.commands import init

    return init.run(directory, template=template, as_json=json)


@_app.command("serve")
def _serve(
    host: Annotated[str | None, typer.Option(help="Listen here, whatever the YAML says.", metavar="HOST")] = None,
    port: Annotated[int | None, typer.Option(help="Listen on this port; 0 takes a free one.", metavar="PORT")] = None,
    env: Annotated[
        str | None, typer.Option(help="Environment: development, production or your own.", metavar="NAME")
    ] = None,
    no_reload: Annotated[bool, typer.Option("--no-reload", help="Do not watch files.")] = False,
    workers: Annotated[int, typer.Option(help="Number of processes.", metavar="N")] = 1,
    log_format: Annotated[
        str | None,
        typer.Option("--log-format", help="Log lines for people or for machines: console or json.", metavar="FORMAT"),
    ] = None,
) -> int:
    """Load the project, report, bind and serve."""
    from gsws.cli.commands import serve

    return serve.run(host=host, port=port, env=env, reload=not no_reload, workers=workers, log_format=log_format)


@_app.command("call")
def _call(
    event: Annotated[str, typer.Argument(metavar="EVENT", help="Event key, e.g. websocket.stream.")],
    values: Values = None,
    file: PayloadFile = None,
    url: Annotated[str | None, typer.Option(help="Where; default: the project's own source.", metavar="URL")] = None,
    id: Annotated[str | None, typer.Option("--id", help="Request id; default: a new one.", metavar="ID")] = None,
    token: Annotated[
        str | None, typer.Option("--token", envvar="GSWS_TOKEN", help="Bearer token to connect with.", metavar="TOKEN")
    ] = None,
    api_key: Annotated[
        str | None, typer.Option("--api-key", envvar="GSWS_API_KEY", help="API key to connect with.", metavar="KEY")
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option("--header", "-H", help="Another header of the handshake; may be given often.", metavar="HEADER"),
    ] = None,
    client_id: Annotated[
        str | None,
        typer.Option("--client-id", help="Label of the client; default: one kept for this project.", metavar="NAME"),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the next frame.", metavar="SECONDS")] = 60.0,
    json: JSON = False,
) -> int:
    """Send one event and print the answer as it streams."""
    from gsws.cli.commands import call

    identity = call.Identity(client_id=client_id, token=token, api_key=api_key, headers=header or [])
    return call.run(event, values or [], file=file, url=url, id=id, identity=identity, timeout=timeout, as_json=json)


_app.command("push")(push_options.push)
_app.command("disconnect")(push_options.disconnect)


@_app.command("validate")
def _validate(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="PATHS", help="Show findings of these files and folders only.")
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="full, concise, json, github or sarif; default: full on a terminal, github in GitHub Actions, "
            "else concise.",
            metavar="FORMAT",
        ),
    ] = None,
    env: Env = "development",
    select: Annotated[
        list[str] | None, typer.Option("--select", help="Only findings of these codes: GS201,GS4.", metavar="CODES")
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", help="No findings of these codes: GS201,GS4.", metavar="CODES")
    ] = None,
    fail_level: Annotated[
        str, typer.Option("--fail-level", help="Mildest finding that fails: error, warning or info.", metavar="LEVEL")
    ] = "error",
    fix: Annotated[bool, typer.Option("--fix", help="Repair what can be repaired.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show what --fix would change, and change nothing.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Check again after every change.")] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Read every file anew, without .gsws/cache.")] = False,
    explain: Annotated[
        str | None, typer.Option("--explain", help="Print what a code means, and nothing else.", metavar="CODE")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
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
    write: Annotated[bool, typer.Option("--write", help="Write the schemas, and the lines that name them.")] = False,
    vscode: Annotated[
        bool, typer.Option("--vscode", help="Also name them in .vscode/settings.json; with --write.")
    ] = False,
    jetbrains: Annotated[
        bool, typer.Option("--jetbrains", help="Also name them in .idea/jsonSchemas.xml; with --write.")
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
        str | None, typer.Argument(metavar="NAME", help="One datasource; default: all of type documents.")
    ] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Read every file anew.")] = False,
    env: Env = "development",
    json: JSON = False,
) -> int:
    """Index the documents that the project's agent answers from."""
    from gsws.cli.commands import index

    return index.run(name=name, rebuild=rebuild, env=env, as_json=json)


@_new.command("event")
def _new_event(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Event key, e.g. websocket.hello; or just hello.")],
    fn: Annotated[
        str | None, typer.Option("--fn", help="Function that answers; made if it is not there.", metavar="NAME")
    ] = None,
    stream: Annotated[bool, typer.Option("--stream", help="Write a handler that streams.")] = False,
    json: JSON = False,
) -> int:
    """Write an event and the function that answers it."""
    from gsws.cli.commands import new

    return new.event(name, fn=fn, stream=stream, as_json=json)


@_new.command("function")
def _new_function(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Dotted name: a.b is functions/a/b.py.")],
    stream: Annotated[bool, typer.Option("--stream", help="Write a function that streams.")] = False,
    json: JSON = False,
) -> int:
    """Write a function that works."""
    from gsws.cli.commands import new

    return new.function(name, stream=stream, as_json=json)


@_new.command("source")
def _new_source(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the source: eventsources/NAME.yaml.")],
    type: Annotated[
        str, typer.Option("--type", help="Type of the source: an installed plugin.", metavar="TYPE")
    ] = "websocket",
    json: JSON = False,
) -> int:
    """Write an event source on a port of its own."""
    from gsws.cli.commands import new

    return new.source(name, type=type, as_json=json)


@_plugins.command("add")
def _plugin_add(
    type: Annotated[str, typer.Argument(metavar="NAME", help="Type of the plugin, e.g. websocket.")],
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the source, for a second one of the type.", metavar="SOURCE")
    ] = None,
    json: JSON = False,
) -> int:
    """Write the YAML of a plugin's source; install the plugin first if need be."""
    from gsws.cli.commands import plugin

    return plugin.add(type, name=name, as_json=json)


@_plugins.command("remove")
def _plugin_remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the source.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: JSON = False,
) -> int:
    """Remove a source's YAML from the project; the plugin stays installed."""
    from gsws.cli.commands import plugin

    return plugin.remove(name, yes=yes, as_json=json)


@_plugins.command("list")
def _plugin_list(json: JSON = False) -> int:
    """Show the installed plugins and what this project uses."""
    from gsws.cli.commands import plugin_show

    return plugin_show.show_all(as_json=json)


@_plugins.command("info")
def _plugin_info(
    type: Annotated[str, typer.Argument(metavar="NAME", help="Type of the plugin.")],
    json: JSON = False,
) -> int:
    """Show one plugin: where it comes from, what its YAML may say."""
    from gsws.cli.commands import plugin_show

    return plugin_show.show(type, as_json=json)


_app.command("fake-gemini")(gemini_options.fake_gemini)


File = Annotated[str | None, typer.Option("--file", help="File of keys; default: the project's.", metavar="FILE")]


@_keys.command("add")
def _keys_add(
    subject: Annotated[str, typer.Option("--subject", "-s", help="Whose key it is.", metavar="NAME")],
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help="What it may do; may be given often.", metavar="SCOPE")
    ] = None,
    id: Annotated[str | None, typer.Option("--id", help="Name of the key; default: a new one.", metavar="ID")] = None,
    expires: Annotated[
        str | None, typer.Option(help="When it ends, e.g. 2027-01-31; default: never.", metavar="TIME")
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
    id: Annotated[str, typer.Argument(metavar="ID", help="Name of the key, as `gsws keys list` shows it.")],
    file: File = None,
    json: JSON = False,
) -> int:
    """Take a key out of the file; who is connected by it is cut off."""
    from gsws.cli.commands import keys

    return keys.revoke(id, file=file, as_json=json)


@_app.command("completion")
def _completion(
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh, fish, powershell or pwsh.")],
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
