"""Findings, their catalogue and their renderers."""

from gsws.diagnostics.catalogue import CATALOGUE, Entry
from gsws.diagnostics.finding import Edit, Finding, Fix, Label, Severity
from gsws.diagnostics.suggest import nearest

__all__ = ["CATALOGUE", "Edit", "Entry", "Finding", "Fix", "Label", "Severity", "nearest"]
