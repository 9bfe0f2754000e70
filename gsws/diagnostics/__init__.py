"""Findings, their catalogue and their renderers."""

from gsws.diagnostics.finding import Edit, Finding, Fix, Label, Severity

__all__ = ["Edit", "Finding", "Fix", "Label", "Severity"]
