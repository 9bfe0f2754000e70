"""Text, positions and YAML documents."""

from gsws.source.document import Document
from gsws.source.problem import Problem, ProblemKind
from gsws.source.span import Pointer, Span
from gsws.source.text import LineIndex
from gsws.source.yaml import parse_yaml

__all__ = ["Document", "LineIndex", "Pointer", "Problem", "ProblemKind", "Span", "parse_yaml"]
