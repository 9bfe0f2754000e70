"""What to write in place of a value of the wrong type, as far as the value tells what was meant."""

from __future__ import annotations

import re

from gsws.yaml.scalars import UNREPRESENTABLE, resolve

__all__ = ["advice"]


def advice(value: object, expected: str) -> str | None:
    """
    A help line, or None if the value tells nothing.

    Args:
        value: What was found.
        expected: What was expected, as people call it: ``a port number``.
    """
    if isinstance(value, str):
        name = re.fullmatch(r"\$([A-Za-z_]\w*)", value)
        if name is not None:
            return f"write `${{{name[1]}}}` for the variable"
        read = resolve(value.strip()) if 0 < len(value) <= 40 else value
        numeric = isinstance(read, int | float) and read is not UNREPRESENTABLE and not isinstance(read, bool)
        if numeric and ("number" in expected or "integer" in expected):
            return f"leave the quotes out: `{value.strip()}`"
        if isinstance(read, bool) and "true or false" in expected:
            return f"leave the quotes out: `{value.strip()}`"
    if isinstance(value, str | int | float) and expected == "a list":
        shown = str(value)
        return f"write `[{shown}]`" if len(shown) <= 60 and not re.search(r"[\[\]{},\n]", shown) else "write `[…]`"
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str) and expected != "a list":
        return f"write `{value[0]}` without the brackets" if len(value[0]) <= 60 else None
    if isinstance(value, str) and "a duration" in expected:
        return "units are `ms`, `s`, `m`, `h` and `d`: `1m30s`"
    if isinstance(value, str) and "a size" in expected:
        return "units are `KiB`, `MiB`, `KB`, `MB` and the like: `64KiB`"
    return None
