"""
What `gsws serve` tells where its output is a log for programs: each thing one event with fields.

The words for a person are in `serve`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import structlog

from gsws.__about__ import __version__
from gsws.cli import output
from gsws.diagnostics import Finding, Severity
from gsws.errors import ServeError
from gsws.project import Project
from gsws.reload.reloader import ReloadReport
from gsws.runtime.service import Service

__all__ = ["LogPresenter", "log_failure"]


class LogPresenter:
    """
    Writes every event of a service to the log; see `gsws.cli.host.Presenter`.

    Args:
        urls: Gives the address of each source that listens.
        warnings: Gives what is to be warned of once a service listens: a sentence and what to do.
    """

    def __init__(
        self,
        urls: Callable[[Service], dict[str, str]],
        warnings: Callable[[Service], list[tuple[str, str]]],
    ) -> None:
        self._urls = urls
        self._warnings = warnings
        # What is served is told whatever the level of the log.
        self._logger: Any = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(0))

    def failed(self, project: Project, findings: tuple[Finding, ...]) -> None:
        """Tell what is wrong; nothing was bound."""
        self._findings(findings)
        self._logger.error("not serving", errors=sum(one.severity is Severity.ERROR for one in findings))

    def refused(self, error: ServeError) -> None:
        """Tell why a port cannot be had."""
        log_failure(error.message, error.help)

    def serving(self, service: Service, findings: tuple[Finding, ...]) -> None:
        """Tell what is served and where."""
        self._findings(findings)
        urls = self._urls(service)
        settings = service.project.settings
        self._logger.info(
            "serving",
            name=settings.name,
            version=settings.version,
            gsws=__version__,
            env=service.project.env,
            pid=os.getpid(),
            sources=dict.fromkeys(service.sources, None) | urls,
        )
        for name, url in urls.items():
            self._logger.info(f"source {name} {url}", source=name, url=url)
        for message, help in self._warnings(service):
            self._logger.warning(message, help=help)

    def reloaded(self, report: ReloadReport) -> None:
        """Tell that the change is live, or why it is not."""
        facts = {"changed": list(report.changed), "duration_ms": round(report.seconds * 1000, 1)}
        if report.live:
            self._logger.info("reloaded", **facts)
            return
        self._findings(report.findings)
        self._logger.error("not reloaded", **facts)

    def draining(self, seconds: float) -> None:
        """Tell why it does not end at once."""
        self._logger.info("waiting for running requests", seconds=seconds)

    def _findings(self, findings: tuple[Finding, ...]) -> None:
        for one in findings:
            if one.severity is Severity.INFO:
                continue
            place = (
                {} if one.span is None else {"path": one.span.path, "line": one.span.line, "column": one.span.column}
            )
            write = self._logger.error if one.severity is Severity.ERROR else self._logger.warning
            write("finding", code=one.code, message=output.plain(one.message), help=one.help, **place)


def log_failure(message: str, help: str | None) -> None:
    """Write to the log what a command cannot do."""
    structlog.get_logger("gsws").error("not serving", error=message, help=help)
