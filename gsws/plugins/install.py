"""
Installing a plugin's package into this environment and noting it in the project's `pyproject.toml`.

Uses pip, or uv where an environment has no pip. What fails leaves `pyproject.toml` as it was. Which
names may be installed is decided by the caller.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gsws.errors import EnvironmentFailure, PluginError
from gsws.plugins.registry import InstalledPlugin, Registry, canonical_name
from gsws.text.replacing import replace_file

__all__ = ["PREFIX", "Requirements", "install"]

PREFIX = "gsws-plugin-"
"""A plugin of type ``x`` that gsws does not bring is looked for as the package ``gsws-plugin-x``."""


class Requirements:
    """
    The dependencies in a project's `pyproject.toml`; comments and layout are kept.

    Args:
        path: The file.

    Raises:
        PluginError: If it cannot be read or is no TOML.
    """

    def __init__(self, path: Path) -> None:
        import tomlkit
        from tomlkit.exceptions import TOMLKitError

        self._path = path
        try:
            self._document: Any = tomlkit.parse(path.read_bytes().decode("utf-8"))
        except (OSError, UnicodeDecodeError, TOMLKitError) as error:
            raise PluginError(f"cannot read {path.name}: {' '.join(str(error).split())}") from None

    @property
    def listed(self) -> bool:
        """Whether the file has a ``[project]`` table whose dependencies are its own business."""
        project = self._document.get("project")
        if not hasattr(project, "get"):
            return False
        return "dependencies" not in (project.get("dynamic") or ()) and isinstance(
            project.get("dependencies", []), list
        )

    def has(self, package: str) -> bool:
        """Whether ``package`` is among the dependencies, in whatever spelling."""
        return self.listed and any(
            canonical_name(_name_of(str(item))) == canonical_name(package)
            for item in self._document["project"].get("dependencies", [])
        )

    def add(self, package: str, version: str) -> bool:
        """
        Add ``package>=version`` and write the file.

        Returns:
            Whether the file was changed.

        Raises:
            OSError: If it cannot be written; it is then as it was.
        """
        import tomlkit

        if not self.listed or self.has(package):
            return False
        project = self._document["project"]
        if "dependencies" not in project:
            project["dependencies"] = tomlkit.array()
        dependencies = project["dependencies"]
        dependencies.append(f"{package}>={version}" if version else package)
        if len(dependencies) > 1 and "\n" not in dependencies.as_string():
            dependencies.multiline(True)  # one item a line; comments between items stay where they are
        replace_file(self._path, tomlkit.dumps(self._document).encode())
        return True


def install(type: str, plugins: Registry) -> InstalledPlugin:
    """
    Install the package of the plugin ``type`` and load the plugin.

    Takes the package away again if it does not give that plugin. The installer's own words go to
    stderr.

    Raises:
        EnvironmentFailure: If there is no installer, no network, no such package, or it gives no such plugin.
    """
    package = f"{PREFIX}{type}"
    tool = _installer()
    code = _run([*tool, "install", *_options(tool), package])
    if code != 0:
        raise EnvironmentFailure(
            f"cannot install `{package}`: the installer said why, and ended with {code}",
            f"is `{type}` the right name? `gsws plugin list` shows what is installed; nothing was changed",
        )
    plugins.refresh()
    found = plugins.get(type)
    if found is None or found.error is not None:
        _run([*tool, "uninstall", *(() if tool[0] != sys.executable else ("--yes",)), *_target(tool), package])
        plugins.refresh()
        reason = found.error if found is not None else f"the package `{package}` gives no plugin `{type}`"
        raise EnvironmentFailure(f"{reason}", "it was taken away again")
    return found


def _installer() -> list[str]:
    if find_spec("pip") is not None:
        return [sys.executable, "-P", "-m", "pip"]
    uv = shutil.which("uv")
    if uv is not None:
        return [uv, "pip"]
    raise EnvironmentFailure(
        f"neither pip nor uv is there to install into {sys.prefix}", f"`{sys.executable} -m ensurepip` brings pip"
    )


def _options(tool: list[str]) -> tuple[str, ...]:
    if tool[0] == sys.executable:
        # Without a network, pip's five retries of 15 s would look like a hang.
        return ("--disable-pip-version-check", "--no-input", "--quiet", "--retries", "1", "--timeout", "15")
    return ("--quiet", *_target(tool))


def _target(tool: list[str]) -> tuple[str, ...]:
    return () if tool[0] == sys.executable else ("--python", sys.executable)


def _run(command: list[str]) -> int:
    """Run an installer, whose words go to stderr, and give its exit code."""
    # In an empty folder: neither a module nor a `uv.toml` nor a `pip.conf` of the project has a say in what is run,
    # and from where. A list and no shell; the last item is a name that was checked and cannot look like an option.
    with tempfile.TemporaryDirectory(prefix="gsws-") as nowhere:
        return subprocess.run(  # noqa: S603
            command,
            cwd=nowhere,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=False,
        ).returncode


def _name_of(requirement: str) -> str:
    for index, character in enumerate(requirement):
        if not (character.isalnum() or character in "-_."):
            return requirement[:index]
    return requirement
