"""`gsws validate --explain CODE`: an entry of the catalogue, for a person or for a program."""

from __future__ import annotations

from gsws.cli import output
from gsws.cli.selection import entry_code
from gsws.diagnostics import CATALOGUE, Entry, Severity

__all__ = ["explain"]


def explain(word: str, *, as_json: bool) -> int:
    """
    Print what a code means.

    Raises:
        Failure: Exit 2 for a code that there is not.
    """
    entry = CATALOGUE[entry_code(word)]
    if as_json:
        return output.result_json(
            {
                "code": entry.code,
                "severity": entry.severity.value,
                "title": entry.title,
                "explanation": entry.explanation,
                "fixable": entry.fixable,
                "ignorable": _ignorable(entry),
            }
        )
    if not output.is_terminal():
        output.result(f"{entry.code}: {entry.title} ({entry.severity.value})\n\n{entry.explanation}")
        for line in _remarks(entry):
            output.result(f"\n{line}")
        return output.GOOD
    from rich.markdown import Markdown

    style = {"error": "red", "warning": "yellow", "info": "cyan"}[entry.severity.value]
    head = output.paint(f"{entry.severity.value}[{entry.code}]", style, "bold")
    output.result(f"{head}{output.paint(f': {entry.title}', 'bold')}\n")
    output.console().print(Markdown("\n\n".join([entry.explanation, *_remarks(entry)])))
    return output.GOOD


def _remarks(entry: Entry) -> list[str]:
    """What can be done about it without understanding it."""
    remarks = []
    if entry.fixable:
        remarks.append("`gsws validate --fix` repairs it where the repair is certain.")
    if _ignorable(entry):
        remarks.append(f"`# gsws: ignore[{entry.code}]` in the file silences it.")
    return remarks


def _ignorable(entry: Entry) -> bool:
    return entry.ignorable or entry.severity is not Severity.ERROR
