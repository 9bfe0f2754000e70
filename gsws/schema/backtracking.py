"""
GS408 as a warning: regular expressions that take forever on an engine that goes back and forth.

gsws itself runs them in linear or bounded time; clients, editors and other servers that read the same schema may not.
Judged on the syntax tree that Python's own parser makes; a pattern that it cannot read is not judged.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib import import_module
from typing import Any, Final, TypeAlias

__all__ = ["backtracks"]

try:  # a parser without a public name: where it is not, or not like this, no pattern is judged
    codes: Any = import_module("re._constants")
    parser: Any = import_module("re._parser")
    _REPEATS: tuple[Any, ...] = (codes.MAX_REPEAT, codes.MIN_REPEAT)
    _CATEGORIES: dict[Any, tuple[Callable[[str], bool], bool]] = {
        codes.CATEGORY_DIGIT: (str.isdigit, True),
        codes.CATEGORY_NOT_DIGIT: (str.isdigit, False),
        codes.CATEGORY_SPACE: (str.isspace, True),
        codes.CATEGORY_NOT_SPACE: (str.isspace, False),
        codes.CATEGORY_WORD: (lambda letter: letter.isalnum() or letter == "_", True),
        codes.CATEGORY_NOT_WORD: (lambda letter: letter.isalnum() or letter == "_", False),
    }
except (ImportError, AttributeError):
    parser = None

_MANY: Final = 9
"""A repetition up to this many times is counted as bounded."""
_MAX_LENGTH: Final = 2_000
_MAX_DEPTH: Final = 40
_MAX_WORDS: Final = 64
_PROBE: Final = (*map(chr, range(32, 127)), "\t", "\n", "é", "中")

_Node: TypeAlias = tuple[Any, Any]


@lru_cache(maxsize=4096)
def backtracks(pattern: str) -> str | None:
    """
    The reason why a pattern's time grows exponentially with the text, or None.

    Two kinds are found: a repetition inside a repetition that may match the same text in several ways, and a repeated
    choice whose branches begin alike.
    """
    if parser is None or len(pattern) > _MAX_LENGTH or not any(sign in pattern for sign in "*+{"):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _search(list(parser.parse(pattern)), 0)
    except Exception:  # the parser has no stable set of errors, and what it refuses is not ours to judge
        return None


def _search(nodes: list[_Node], depth: int) -> str | None:
    if depth > _MAX_DEPTH:
        return None
    for node in nodes:
        operator, value = node
        if operator in _REPEATS and _is_unbounded(value):
            reason = _inside(list(value[2]), depth)
            if reason is not None:
                return reason
        for inner in _children(node):
            reason = _search(inner, depth + 1)
            if reason is not None:
                return reason
    return None


def _inside(body: list[_Node], depth: int) -> str | None:
    """What makes the body of an unbounded repetition match one text in several ways."""
    words = _words(body, depth)
    if words is not None:
        return None if _is_code(words) else "the branches of a repeated choice match the same text"
    branches = [_flat(branch, depth) for branch in _alternatives(body, depth)]
    for sequence in branches:
        for index, (operator, value) in enumerate(sequence):
            if operator in _REPEATS and _is_unbounded(value):
                rest = [*sequence[index + 1 :], *sequence[:index]]
                inner = _letters(list(value[2]), depth + 1)
                # `(a+b)+` is safe: the b tells where one round ends; `(a+)+` and `(a+a?)+` are not.
                following = [_letters([one], depth + 1) for one in rest if not _may_be_empty([one])]
                if not following or (inner and all(letters & inner for letters in following)):
                    return "a repetition inside a repetition matches the same text in many ways"
    firsts = [_first(branch, depth + 1) for branch in branches]
    for number, one in enumerate(firsts):
        for second, other in enumerate(firsts[number + 1 :], number + 1):
            if one & other and _overlap(branches[number], branches[second]):
                return "the branches of a repeated choice match the same text"
    return None


def _overlap(one: list[_Node], other: list[_Node]) -> bool:
    """Whether two branches that begin alike may match one text."""
    if None in (_fixed_length(one), _fixed_length(other)):
        return True
    return _same_everywhere(one, other)


def _words(nodes: list[_Node], depth: int) -> list[str] | None:
    """Every text that nodes match, if they are few and made of literals."""
    if depth > _MAX_DEPTH:
        return None
    found = [""]
    for operator, value in nodes:
        if operator is codes.LITERAL:
            more: list[str] | None = [chr(value)]
        elif operator is codes.SUBPATTERN:
            more = _words(list(value[3]), depth + 1)
        elif operator is codes.BRANCH:
            parts = [_words(list(branch), depth + 1) for branch in value[1]]
            more = [word for part in parts for word in part or ()] if None not in parts else None
        elif operator in _REPEATS and tuple(value[:2]) == (0, 1):
            inner = _words(list(value[2]), depth + 1)
            more = None if inner is None else ["", *inner]
        elif operator is codes.IN and all(kind is codes.LITERAL for kind, _ in value):
            more = [chr(letter) for _, letter in value]
        else:
            return None
        if more is None or len(found) * len(more) > _MAX_WORDS:
            return None
        found = [word + end for word in found for end in more]
    return found


def _is_code(words: list[str]) -> bool:
    """Whether no text is made of the words in two ways (Sardinas and Patterson, 1953)."""
    filled = [word for word in words if word]
    known = set(filled)
    if len(known) < len(filled):
        return False
    todo = {long[len(short) :] for short in known for long in known if long != short and long.startswith(short)}
    seen: set[str] = set()
    while todo:
        rest = todo.pop()
        if rest in known:
            return False
        seen.add(rest)
        for word in known:
            for short, long in ((rest, word), (word, rest)):
                if long.startswith(short) and long[len(short) :] not in seen:
                    todo.add(long[len(short) :])
    return True


def _flat(nodes: list[_Node], depth: int) -> list[_Node]:
    """A sequence with the contents of its groups in their place."""
    found: list[_Node] = []
    for node in nodes:
        inside = node[0] is codes.SUBPATTERN and depth <= _MAX_DEPTH
        found += _flat(list(node[1][3]), depth + 1) if inside else [node]
    return found


def _same_everywhere(one: list[_Node], other: list[_Node]) -> bool:
    """Whether every position of two branches of fixed length shares a letter."""
    if len(one) != len(other):
        return True
    return all(_letters([first], 0) & _letters([second], 0) for first, second in zip(one, other, strict=True))


def _alternatives(body: list[_Node], depth: int) -> list[list[_Node]]:
    """The branches of a body that is one group or one choice; else the body itself."""
    while len(body) == 1 and depth <= _MAX_DEPTH:
        operator, value = body[0]
        depth += 1
        if operator is codes.SUBPATTERN:
            body = list(value[3])
        elif operator is codes.BRANCH:
            return [one for branch in value[1] for one in _alternatives(list(branch), depth)]
        else:
            break
    return [body]


def _children(node: _Node) -> Iterable[list[_Node]]:
    operator, value = node
    if operator in _REPEATS:
        yield list(value[2])
    elif operator is codes.SUBPATTERN:
        yield list(value[3])
    elif operator is codes.BRANCH:
        yield from (list(branch) for branch in value[1])
    elif operator in (codes.ASSERT, codes.ASSERT_NOT):
        yield list(value[1])


def _is_unbounded(value: Any) -> bool:
    return bool(value[1] is codes.MAXREPEAT or value[1] > _MANY)


def _may_be_empty(nodes: list[_Node]) -> bool:
    for operator, value in nodes:
        if operator in _REPEATS:
            if value[0] > 0 and not _may_be_empty(list(value[2])):
                return False
        elif operator is codes.SUBPATTERN:
            if not _may_be_empty(list(value[3])):
                return False
        elif operator is codes.BRANCH:
            if not any(_may_be_empty(list(branch)) for branch in value[1]):
                return False
        elif operator not in (codes.AT, codes.ASSERT, codes.ASSERT_NOT):
            return False
    return True


def _fixed_length(nodes: list[_Node]) -> int | None:
    one = (codes.LITERAL, codes.NOT_LITERAL, codes.IN, codes.ANY)
    return len(nodes) if all(operator in one for operator, _ in nodes) else None


def _first(nodes: list[_Node], depth: int) -> frozenset[str]:
    """Letters that a sequence may begin with."""
    found: frozenset[str] = frozenset()
    for node in nodes:
        found |= _letters([node], depth)
        if not _may_be_empty([node]):
            break
    return found


def _letters(nodes: list[_Node], depth: int) -> frozenset[str]:
    """Letters of a sample of the alphabet that occur in what nodes match."""
    if depth > _MAX_DEPTH:
        return frozenset()
    found: set[str] = set()
    for node in nodes:
        operator, value = node
        if operator is codes.LITERAL:
            found.add(chr(value))
        elif operator is codes.NOT_LITERAL:
            found.update(letter for letter in _PROBE if letter != chr(value))
        elif operator is codes.ANY:
            found.update(_PROBE)
        elif operator is codes.IN:
            found |= _set(value)
        else:
            for inner in _children(node):
                found |= _letters(inner, depth + 1)
    return frozenset(found)


def _set(items: Any) -> set[str]:
    found: set[str] = set()
    negated = False
    for operator, value in items:
        if operator is codes.NEGATE:
            negated = True
        elif operator is codes.LITERAL:
            found.add(chr(value))
        elif operator is codes.RANGE:
            found |= {letter for letter in _PROBE if value[0] <= ord(letter) <= value[1]}
            found.add(chr(value[0]))
        elif operator is codes.CATEGORY:
            found |= {letter for letter in _PROBE if _in_category(letter, value)}
    return {letter for letter in _PROBE if letter not in found} if negated else found


def _in_category(letter: str, category: Any) -> bool:
    fits, wanted = _CATEGORIES.get(category, (bool, True))
    return bool(fits(letter)) is wanted
