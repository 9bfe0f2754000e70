"""`gsws new event | function | source`: one element of a project, wired and working."""

from __future__ import annotations

from pathlib import Path

from gsws.cli import output, sources
from gsws.cli.current_project import load_current
from gsws.cli.plugins import usable
from gsws.cli.sources import named
from gsws.cli.suggest import did_you_mean
from gsws.plugins.registry import registry
from gsws.project import Project
from gsws.scaffold.elements import event_text, function_text
from gsws.scaffold.files import Conflict, write_files
from gsws.scaffold.names import check_event_name, check_function_name, check_source_name, function_name_for

__all__ = ["event", "function", "source"]


def event(name: str, *, fn: str | None, stream: bool, as_json: bool) -> int:
    """
    Write ``events/NAME.yaml`` and, if it is not there, the function that answers.

    Args:
        name: ``source.name``, or ``name`` alone in a project with one source.
        fn: Name of the function; made from the event's name by default.
        stream: A new function yields.

    Raises:
        Failure: Exit 2 for a bad name, 1 if there is no such source or something is in the way.
    """
    check_event_name(name)
    if fn is not None:
        check_function_name(fn)
    project = load_current()
    source, rest = _source_and_rest(project, name)
    key = f"{source}.{rest}"
    existing = next((event for event in project.events if event.key.lower() == key.lower()), None)
    if existing is not None:
        differs = "" if existing.key == key else f" as `{existing.key}`"
        raise output.Failure(f"the event `{key}` is there already{differs}: {existing.path}:{existing.span.line}")
    function = fn if fn is not None else function_name_for(rest)

    # Two sources may have an event of one name; the source's name then tells their files apart.
    stem = rest.replace(".", "_")
    path = _in_base(project, f"events/{stem}.yaml")
    if (project.root / path).exists():
        path = _in_base(project, f"events/{source}_{stem}.yaml")
    files = {path: named(project.root, path, event_text(key, function))}
    if project.handlers.find(function) is None:
        files |= _function_file(project, function, stream=stream, event=key)
    elif fn is None:
        raise output.Failure(
            f"a function `{function}` is there already",
            f"`--fn {function}` lets it answer `{key}` too; `--fn NAME` makes another",
        )
    next_step = f"gsws call {key} message=hello" if "port" in project.sources[source].config else "gsws serve"
    return _write(project, files, as_json, next_step, key=key, fn=function)


def function(name: str, *, stream: bool, as_json: bool) -> int:
    """
    Write ``functions/a/b.py`` for ``a.b``.

    Raises:
        Failure: Exit 2 for a bad name, 1 if it is there already.
    """
    check_function_name(name)
    project = load_current()
    if project.handlers.find(name) is not None:
        raise output.Failure(f"a function `{name}` is there already")
    files = _function_file(project, name, stream=stream, event=None)
    named = _is_named(project, name)
    return _write(project, files, as_json, "gsws validate" if named else f"`fn: {name}` in an event names it", fn=name)


def source(name: str, *, type: str, as_json: bool) -> int:
    """
    Write ``eventsources/NAME.yaml`` from an installed plugin, on a port of its own.

    Raises:
        Failure: Exit 2 for a bad name or an unknown type, 1 if it is there already.
    """
    check_source_name(name)
    if type not in registry:
        raise output.misuse(
            f"no plugin `{type}` is installed", did_you_mean(type, registry) or f"`gsws plugin add {type}` installs it"
        )
    plugin = usable(type)
    project = load_current()
    there = sources.find(project, name)
    if there is not None:
        raise output.Failure(f"`{sources.relative(project, there)}` is there already")
    planned = sources.plan(project, plugin, name)
    return _write(project, {planned.path: planned.text}, as_json, f"gsws new event {name}.hello", source=name)


def _source_and_rest(project: Project, name: str) -> tuple[str, str]:
    known = list(project.sources)
    if not known:
        raise output.Failure("this project has no event source yet", "`gsws plugin add websocket` makes one")
    prefix, dot, rest = name.partition(".")
    if dot:
        if prefix not in known:
            raise output.Failure(
                f"no event source `{prefix}` in this project",
                did_you_mean(prefix, known) or f"there is {', '.join(f'`{one}`' for one in known)}",
            )
        return prefix, rest
    if name in known:
        raise output.Failure(f"`{name}` is an event source", f"`gsws new event {name}.hello` names an event of it")
    if len(known) > 1:
        raise output.misuse(
            f"`{name}` of which event source?", f"say one of {', '.join(f'`{one}.{name}`' for one in known)}"
        )
    return known[0], name


def _function_file(project: Project, name: str, *, stream: bool, event: str | None) -> dict[str, str]:
    path = _in_base(project, f"functions/{name.replace('.', '/')}.py")
    package = project.base / "functions" / name.replace(".", "/")
    if package.is_dir():
        shown = package.relative_to(project.root).as_posix()
        raise output.Failure(f"`{shown}/` is a folder already", f"try `{name}.main`")
    return {path: function_text(name, stream=stream, event=event)}


def _is_named(project: Project, name: str) -> bool:
    """Whether something in the project waits for a function of this name."""
    return any(event.fn == name for event in project.events) or any(
        finding.code == "GS201" and f"`{name}`" in finding.message for finding in project.findings
    )


def _in_base(project: Project, path: str) -> str:
    return (project.base / path).relative_to(project.root).as_posix()


def _twin(root: Path, path: str) -> str | None:
    """What is there under a name that differs from a part of ``path`` only by case; on some systems they are one."""
    folder = root
    for part in Path(path).parts:
        if not folder.is_dir():
            return None
        for other in sorted(folder.iterdir()):
            if other.name != part and other.name.lower() == part.lower():
                return other.relative_to(root).as_posix()
        folder /= part
    return None


def _write(project: Project, files: dict[str, str], as_json: bool, next_step: str, **facts: str) -> int:
    for path in files:
        twin = _twin(project.root, path)
        if twin is not None:
            raise output.Failure(
                f"`{twin}` is there already; `{path}` would differ from it only by case", "try another name"
            )
    try:
        with output.refusing("cannot write"):
            write_files(project.root, {path: text.encode("utf-8") for path, text in files.items()})
    except Conflict as conflict:
        listed = ", ".join(f"`{path}`" for path in conflict.paths)
        raise output.Failure(f"not overwriting {listed}", "nothing was written") from None
    if as_json:
        return output.result_json({"ok": True, "files": list(files), **facts})
    for path in files:
        output.result(f"wrote {path}")
    output.note(f"next: {next_step}")
    return output.GOOD
