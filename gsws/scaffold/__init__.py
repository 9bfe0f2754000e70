"""
Writing new files: whole projects from templates, and single elements of a project.

Everything is decided before the first byte is written, and nothing that exists is overwritten.
"""

from gsws.scaffold.files import Conflict, write_files
from gsws.scaffold.names import NameRefused, project_name
from gsws.scaffold.templates import Template, find_template, template_names

__all__ = [
    "Conflict",
    "NameRefused",
    "Template",
    "find_template",
    "project_name",
    "template_names",
    "write_files",
]
