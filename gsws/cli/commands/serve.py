"""
`gsws serve`: load the project, report, bind, serve; what a person sees of it.

Putting service, reload and signals together is `gsws.cli.host`'s.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from gsws.cli import host as hosting
from gsws.cli import output
from gsws.cli.commands.events import where
from gsws.cli.commands.serve_log import LogPresenter, log_failure
from gsws.cli.commands.validate import summary
from gsws.cli.current_project import check_environment, current_root
from gsws.cli.sample import call_line
from gsws.cli.suggest import did_you_mean
from gsws.diagnostics import Finding, Severity
from gsws.diagnostics.grouping import grouped
from gsws.diagnostics.mask import hide
from gsws.diagnostics.render.full import render_full
from gsws.errors import ServeError
from gsws.observability.logging import configure_logging
from gsws.observability.requests import AccessLines, RequestLines
from gsws.observability.streams import Streams, taken_over
from gsws.plugins.registry import facts
from gsws.project import EventSpec, Project, ProjectCache, load_project
from gsws.project.network import dialled, is_loopback
from gsws.project.specs import AccessSpec, Settings
from gsws.reload.reloader import ReloadReport
from gsws.runtime.requests.observer import Observer
from gsws.runtime.service import Service

__all__ = ["run"]

_LOG_FORMATS = ("console", "json")
_MOST_EVENTS = 20


def run(
    *, host: str | None, port: int | None, env: str | None, reload: bool, workers: int, log_format: str | None
) -> int:
    """
    Serve until Ctrl-C or SIGTERM.

    Returns:
        0 after a signal, 1 if the project has errors or a port cannot be had.

    Raises:
        Failure: Exit 2 for options, 1 outside a project.
    """
    env = env if env is not None else "development"
    development = env == "development"
    format = log_format or ("console" if development else "json")
    _check(port=port, env=env, workers=workers, log_format=log_format)
    try:
        root = current_root()
        cache = ProjectCache()
        project = load_project(root, env=env, plugins=facts(), cache=cache)
        format = log_format or project.settings.log.format or format
        if project.ok() and not project.sources:
            raise output.Failure(  # noqa: TRY301  # as those of the calls above
                "this project has no event source", "`gsws plugin add websocket` makes one"
            )
    except output.Failure as failure:
        if format != "json":
            raise
        with taken_over("json") as streams:
            configure_logging(format="json", streams=streams)
            log_failure(failure.message, failure.help)
        return failure.exit_code
    with taken_over("json" if format == "json" else "console") as streams:

        def log(settings: Settings) -> None:
            configure_logging(level=settings.log.level, format=streams.format, streams=streams, base=project.base)

        options = hosting.HostOptions(
            host=host,
            port=port,
            reload=reload and development,
            development=development,
            observer=_observer(project, streams, development=development),
            on_settings=log,
        )
        log(project.settings)
        presenter = LogPresenter(_urls, _open) if format == "json" else _Presenter(reload=options.reload)
        if not project.ok():
            presenter.failed(project, project.findings)
            return output.FAILED
        return hosting.host(project, cache, options, presenter)


def _observer(project: Project, streams: Streams, *, development: bool) -> Observer | None:
    """A line a request: in development for a person, elsewhere if the project says so, for programs."""
    access = project.settings.log.access
    if access is False or (access is None and (streams.format == "json" or not development)):
        return None
    if streams.format == "json":
        return AccessLines(access or AccessSpec(), lambda line: streams.put("stdout", line))
    return RequestLines(lambda line: streams.put("stderr", line), dim=output.colour(sys.stderr))


class _Presenter:
    """Tells the person at the terminal, or the log of a process manager; see `gsws.cli.host.Presenter`."""

    def __init__(self, *, reload: bool) -> None:
        self._reload = reload

    def failed(self, project: Project, findings: tuple[Finding, ...]) -> None:
        """Show what is wrong; nothing was bound."""
        self._tell(lambda: _show_findings(project, findings))
        self._tell(lambda: output.show_failure(f"not serving: {summary(findings, project)}"))

    def refused(self, error: ServeError) -> None:
        """Show why a port cannot be had."""
        self._tell(lambda: output.show_failure(error.message, error.help))

    def serving(self, service: Service, findings: tuple[Finding, ...]) -> None:
        """Show what is served, where, and how to try it."""
        self._tell(lambda: _show_findings(service.project, findings))
        self._tell(lambda: _show_service(service, reload=self._reload))
        self._tell(lambda: _warn_open(service))

    def reloaded(self, report: ReloadReport) -> None:
        """Show that the change is live, or why it is not."""
        names = ", ".join(report.changed[:3]) + (
            f" and {len(report.changed) - 3} more" if len(report.changed) > 3 else ""
        )
        if report.live:
            word = output.paint("reloaded", "green", stream=sys.stderr)
            self._tell(lambda: output.note(f"{word} {output.plain(names)} in {report.seconds * 1000:.0f} ms"))
            return
        self._tell(lambda: _show_findings(report.project, report.findings))
        self._tell(
            lambda: output.show_failure(
                f"not reloaded: {summary(report.findings, report.project)}", "what ran before keeps running"
            )
        )

    def draining(self, seconds: float) -> None:
        """Say why it does not end at once."""
        self._tell(lambda: output.note(f"waiting up to {seconds:g} s for running requests; Ctrl-C again stops at once"))

    def _tell(self, show: Callable[[], None]) -> None:
        """A terminal that is gone or a full disk behind the log must not end the service."""
        try:
            show()
            sys.stdout.flush()
            sys.stderr.flush()
        except (OSError, ValueError):
            output.silence_broken()


def _show_findings(project: Project, findings: tuple[Finding, ...]) -> None:
    shown = grouped(project.mask.findings(one for one in findings if one.severity is not Severity.INFO))
    if shown:
        sys.stderr.write(render_full(shown, project.text_of, colour=output.colour(sys.stderr)).rstrip("\n") + "\n\n")


def _open(service: Service) -> list[tuple[str, str]]:
    """What is open to the network, whether a file or ``--host`` opened it (protocol P4.2), and what to do."""
    found = []
    for name, (host, _) in service.addresses().items():
        source = service.project.sources[name]
        if source.type == "websocket" and not source.config.get("authn") and not is_loopback(host):
            found.append(
                (
                    f"`{name}` listens on {host} and anybody may connect: there is no `authn`, "
                    "and every client is who it says it is",
                    f"add `authn` to {source.path}, or listen on 127.0.0.1",
                )
            )
    return found


def _warn_open(service: Service) -> None:
    """Say it last, and loudly."""
    for message, help in _open(service):
        output.warn(message, help)


def _urls(service: Service) -> dict[str, str]:
    return {name: _url(service.project, name, *address) for name, address in service.addresses().items()}


def _show_service(service: Service, *, reload: bool) -> None:
    project = service.project
    addresses = service.addresses()
    urls = _urls(service)
    mode = f"{project.env}{', reloads on change' if reload else ''}"
    title = f"{project.settings.name} {project.settings.version}"
    pages = {name: _page(url) for name, url in urls.items()} if (project.base / "public").is_dir() else {}
    trials = _trials(project, urls, addresses)
    if output.is_terminal():
        _draw(project, title, mode, urls, pages, trials)
        return
    output.result(f"serving {output.plain(title)} ({mode})")
    for name in service.sources:
        output.result(hide(f"source {name} {urls.get(name, '')}".rstrip()))
    for name, page in pages.items():
        output.result(f"page {name} {page}")
    for event in project.events[:_MOST_EVENTS]:
        output.result(output.plain(f"event {event.key} -> {event.fn} ({where(event)})"))
    if len(project.events) > _MOST_EVENTS:
        output.result(f"and {len(project.events) - _MOST_EVENTS} more: gsws events")
    for line in trials:
        output.result(f"try {output.plain(line)}")


def _draw(
    project: Project, title: str, mode: str, urls: dict[str, str], pages: dict[str, str], trials: list[str]
) -> None:
    from rich import box
    from rich.console import Group
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    where_to = Table.grid(padding=(0, 2))
    for name in project.sources:
        where_to.add_row(Text(name), Text(urls.get(name, "running"), style="bold cyan"))
        if name in pages:
            where_to.add_row("", Text.assemble(pages[name], ("  the page in public/", "dim")))
    events = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    events.add_column("event", overflow="fold")
    events.add_column("function", overflow="fold")
    for event in project.events[:_MOST_EVENTS]:
        events.add_row(Text(output.plain(event.key)), Text.assemble(event.fn, (f"  {where(event)}", "dim")))
    if len(project.events) > _MOST_EVENTS:
        events.add_row(Text(f"… {len(project.events) - _MOST_EVENTS} more: gsws events", style="dim"), "")
    parts: list[object] = [where_to, "", events]
    if trials:
        tries = Table.grid(padding=(0, 1))
        for index, line in enumerate(trials):
            tries.add_row(Text("try" if index == 0 else "or", style="dim"), Text(output.plain(line), overflow="fold"))
        parts += ["", tries]
    panel = Panel(
        Group(*parts),  # type: ignore[arg-type]  # renderables and texts
        title=Text.assemble((output.plain(title), "bold"), f" · {mode}"),
        title_align="left",
        subtitle=Text("Ctrl-C stops", style="dim"),
        subtitle_align="right",
        box=box.ROUNDED,
        expand=False,
        padding=(1, 2),
    )
    output.console().print(panel)


def _trials(project: Project, urls: dict[str, str], addresses: dict[str, tuple[str, int]]) -> list[str]:
    """Lines for a shell: our own client, and one that any machine with Node has."""
    for event in sorted(project.events, key=_streams_first):
        if event.source not in urls:
            continue
        written = project.sources[event.source].config.get("port")
        url = urls[event.source]
        line = call_line(event, None if written == addresses[event.source][1] else url)
        if line is not None:
            return [line, f"npx wscat -c {url}"]
    return []


def _streams_first(event: EventSpec) -> tuple[bool, int]:
    return (event.handler is None or not event.handler.is_generator, event.order)


def _url(project: Project, name: str, host: str, port: int) -> str:
    config = project.sources[name].config
    path = config.get("path")
    scheme = "wss" if config.get("tls") else "ws"
    return f"{scheme}://{dialled(host)}:{port}{path if isinstance(path, str) and path != '/' else ''}"


def _page(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{'https' if scheme == 'wss' else 'http'}://{rest.partition('/')[0]}/"


def _check(*, port: int | None, env: str, workers: int, log_format: str | None) -> None:
    check_environment(env)
    if port is not None and not 0 <= port <= 65535:
        raise output.misuse(f"`{port}` is no port; expected 0 to 65535", "0 takes a free one")
    if workers != 1:
        raise output.misuse(
            f"`--workers {workers}`: several processes are not supported yet", "leave it out; one process uses one core"
        )
    if log_format is not None and log_format not in _LOG_FORMATS:
        raise output.misuse(
            f"no log format `{log_format}`",
            did_you_mean(log_format, _LOG_FORMATS) or f"there are {' and '.join(_LOG_FORMATS)}",
        )
