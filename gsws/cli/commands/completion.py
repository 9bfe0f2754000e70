"""`gsws completion SHELL`."""

from __future__ import annotations

from gsws.cli import output
from gsws.cli.suggest import did_you_mean

__all__ = ["SHELLS", "run"]

SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")


def run(shell: str) -> int:
    """Print the script; `eval "$(gsws completion bash)"` switches completion on."""
    if shell not in SHELLS:
        help = did_you_mean(shell, SHELLS) or f"known: {', '.join(SHELLS)}"
        raise output.misuse(f"no completion for the shell `{shell}`", help)
    from typer.completion import get_completion_script  # type: ignore[attr-defined]  # of typer, though unlisted

    output.result(get_completion_script(prog_name="gsws", complete_var="_GSWS_COMPLETE", shell=shell))
    return output.GOOD
