"""From files to specs: what a project declares, checked, with findings."""

from gsws.project.files.cache import ProjectCache
from gsws.project.files.discovery import find_root, foreign_root, projects_below
from gsws.project.load import load_project
from gsws.project.project import Project
from gsws.project.python.parameters import INJECTABLE
from gsws.project.specs import (
    AuthzSpec,
    BackplaneSpec,
    DatasourceSpec,
    EventSpec,
    HandlerRef,
    LogSpec,
    Parameter,
    PluginFacts,
    RateSpec,
    ResumeSpec,
    Settings,
    SourceSpec,
)

__all__ = [
    "INJECTABLE",
    "AuthzSpec",
    "BackplaneSpec",
    "DatasourceSpec",
    "EventSpec",
    "HandlerRef",
    "LogSpec",
    "Parameter",
    "PluginFacts",
    "Project",
    "ProjectCache",
    "RateSpec",
    "ResumeSpec",
    "Settings",
    "SourceSpec",
    "find_root",
    "foreign_root",
    "load_project",
    "projects_below",
]
