"""Renderers: pure functions from findings to text, one a file."""

from gsws.diagnostics.render.concise import render_concise
from gsws.diagnostics.render.full import render_full
from gsws.diagnostics.render.json import finding_object, render_json

__all__ = ["finding_object", "render_concise", "render_full", "render_json"]
