"""
Corruptions of a project, one character or one key at a time, seeded.

What they mean is `meaning`'s matter; whether they are noticed is `judge`'s.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath

__all__ = ["Mutant", "mutants"]

_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_MARKS = "_-.:,#{}[]'\"&*!|>%@ \t0123456789ABCXYZ"
_WORD = re.compile(r"[\w$./#-]+")
_KEY_LINE = re.compile(r"(?P<indent> *(?:- )?)(?P<key>\"[^\"]+\"|'[^']+'|[\w$.& -]*[\w$]):(?P<rest>(?: .*)?)")
_NAME = re.compile(r"([\w$-]+):(?:\s|$)")
_DEF = re.compile(r"^(?:async )?def (\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mutant:
    """
    One corrupted file.

    Attributes:
        kind: What was done, e.g. ``replace`` or ``rename key``.
        line: The line that is different, from 1; of a swapped line break the first one.
        last: The last line that is different.
        gone: The names that a deleted block held.
        word: The word that was changed as it was before, empty if it was no word.
        typo: The same word afterwards.
    """

    path: str
    kind: str
    text: str
    line: int
    word: str = ""
    typo: str = ""
    last: int = 0
    gone: frozenset[str] = frozenset()


def mutants(files: Mapping[str, str], seed: int) -> Iterator[Mutant]:
    """Corruptions without end; two of three are of one character."""
    choice = random.Random(seed)
    yaml = [path for path in files if PurePath(path).suffix == ".yaml"]
    python = [path for path in files if PurePath(path).suffix == ".py"]
    weights = [len(files[path]) for path in yaml]
    while True:
        kind = choice.randrange(12)
        if kind == 0 and python:
            made = _function(choice, path := choice.choice(python), files[path])
        else:
            path = choice.choices(yaml, weights)[0]
            made = _character(choice, path, files[path]) if kind <= 7 else _key(choice, path, files[path])
        if made is not None and made.text != files[path]:
            yield made


def _character(choice: random.Random, path: str, text: str) -> Mutant | None:
    at = choice.randrange(len(text))
    line_start = text.rfind("\n", 0, at) + 1
    if "#" in text[line_start:at] and re.match(r"[^\"']*(^|\s)#", text[line_start:at]):
        return None
    if text[at].isspace() and choice.random() < 0.7:
        return None
    letter = choice.choice(_ALPHABET) if choice.random() < 0.7 else choice.choice(_MARKS)
    kind = choice.choice(("delete", "insert", "replace", "transpose"))
    return _at(path, text, kind, at, letter)


def _at(path: str, text: str, kind: str, at: int, letter: str) -> Mutant | None:
    if kind == "delete":
        changed, grown = text[:at] + text[at + 1 :], -1
    elif kind == "insert":
        changed, grown = text[:at] + letter + text[at:], 1
    elif kind == "replace":
        changed, grown = text[:at] + letter + text[at + 1 :], 0
    else:
        if at + 1 >= len(text):
            return None
        changed, grown = text[:at] + text[at + 1] + text[at] + text[at + 2 :], 0
    word = typo = ""
    for match in _WORD.finditer(text):
        if match.start() <= at < match.end():
            inside = kind != "transpose" or at + 1 < match.end()
            word = match.group() if inside else ""
            typo = changed[match.start() : match.end() + grown] if inside else ""
            break
    if typo and not _WORD.fullmatch(typo):
        word = typo = ""
    line = text.count("\n", 0, at) + 1
    breaks = kind == "transpose" and "\n" in text[at : at + 2]
    return Mutant(path, kind, changed, line, word, typo, line + 1 if breaks or letter == "\n" else line)


def _function(choice: random.Random, path: str, text: str) -> Mutant | None:
    found = list(_DEF.finditer(text))
    if not found:
        return None
    match = choice.choice(found)
    typo = _typo(choice, match.group(1))
    changed = text[: match.start(1)] + typo + text[match.end(1) :]
    return Mutant(path, "rename function", changed, text.count("\n", 0, match.start(1)) + 1, match.group(1), typo)


def _key(choice: random.Random, path: str, text: str) -> Mutant | None:
    lines = text.splitlines(keepends=True)
    places = [number for number, line in enumerate(lines) if _KEY_LINE.fullmatch(line.rstrip("\n"))]
    if not places:
        return None
    number = choice.choice(places)
    match = _KEY_LINE.fullmatch(lines[number].rstrip("\n"))
    assert match is not None
    indent, key, rest = match["indent"], match["key"], match["rest"]
    plain = key.strip("\"'")
    end = _block_end(lines, number, len(indent))
    kind = choice.choice(("delete key", "rename key", "duplicate key", "change type", "move key"))
    if kind == "delete key":
        gone = frozenset(_NAME.findall("".join(lines[number:end])))
        text = "".join([*lines[:number], *lines[end:]])
        return Mutant(path, kind, text, _above(lines, number, len(indent)), gone=gone)
    if kind == "rename key":
        typo = _typo(choice, plain)
        changed = f"{indent}{key.replace(plain, typo)}:{rest}\n"
        return Mutant(path, kind, "".join([*lines[:number], changed, *lines[number + 1 :]]), number + 1, plain, typo)
    if kind == "duplicate key":
        again = [re.sub(r"^( *)- ", r"\1  ", lines[number]), *lines[number + 1 : end]]
        return Mutant(path, kind, "".join([*lines[:end], *again, *lines[end:]]), end + 1)
    if kind == "change type":
        value = choice.choice(("[]", "[1, 2]", "12", "{a: 1}", "true", "text", "1.5"))
        changed = f"{indent}{key}: {value}\n"
        return Mutant(path, kind, "".join([*lines[:number], changed, *lines[end:]]), number + 1)
    if indent.endswith("- ") or len(indent) < 2:
        return None
    moved = [line[2:] if line.strip() else line for line in lines[number:end]]
    # To the level above, behind the mapping that it stood in.
    last = end
    while last < len(lines) and (not lines[last].strip() or _width(lines[last]) >= len(indent)):
        last += 1
    changed_text = "".join([*lines[:number], *lines[end:last], *moved, *lines[last:]])
    return Mutant(path, kind, changed_text, last - (end - number) + 1, plain, plain)


def _block_end(lines: list[str], number: int, width: int) -> int:
    end = number + 1
    while end < len(lines) and lines[end].strip():
        deeper = _width(lines[end]) > width
        item = (
            _width(lines[end]) == width and lines[end].lstrip().startswith("- ") and "- " not in lines[number][:width]
        )
        if not deeper and not item:
            break
        end += 1
    return end


def _above(lines: list[str], number: int, width: int) -> int:
    """The line of the mapping that a key stands in: its own key, or the first key that is left of the file."""
    for index in range(number - 1, -1, -1):
        if _KEY_LINE.fullmatch(lines[index].rstrip("\n")) and _width(lines[index]) < width:
            return index + 1
    left = [line for index, line in enumerate(lines) if index != number]
    return next((index + 1 for index, line in enumerate(left) if line.strip() and line[0] != "#"), 1)


def _width(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _typo(choice: random.Random, word: str) -> str:
    at = choice.randrange(len(word))
    letter = choice.choice(_ALPHABET)
    kinds = [word[:at] + letter + word[at:], word[:at] + letter + word[at + 1 :]]
    if len(word) > 1:
        kinds.append(word[:at] + word[at + 1 :])
    if at + 1 < len(word):
        kinds.append(word[:at] + word[at + 1] + word[at] + word[at + 2 :])
    return choice.choice(kinds) or letter
