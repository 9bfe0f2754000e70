"""Renderers: pure functions from findings to text, one a file."""

from gsws.diagnostics.render.concise import render_concise
from gsws.diagnostics.render.full import render_full
from gsws.diagnostics.render.github import render_github
from gsws.diagnostics.render.json import finding_object, render_json
from gsws.diagnostics.render.sarif import render_sarif

__all__ = ["finding_object", "render_concise", "render_full", "render_github", "render_json", "render_sarif"]
