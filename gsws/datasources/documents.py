"""
The built-in `documents` datasource: an index over a folder of documents, ready to be searched.

Only the facts and the checks of its YAML live here; the index is `gsws.ai.retrieval`, imported when one is
opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gsws.plugins.contract import SourceContext, SourceType
from gsws.project.files.discovery import find_root
from gsws.project.shapes.units import duration, size

if TYPE_CHECKING:
    from gsws.ai.retrieval import Embedder, FolderIndex

__all__ = ["DocumentsPlugin", "open_index", "plugin"]

_TEXT: Final = {"type": "string", "minLength": 1}
_PATTERNS: Final = {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 500}}

_EMBEDDINGS: Final = {
    "type": "object",
    "additionalProperties": False,
    "required": ["model"],
    "properties": {
        "model": {**_TEXT, "description": "Gemini's embedding model, e.g. gemini-embedding-001."},
        "dimensions": {"type": "integer", "minimum": 16, "maximum": 8192, "description": "Length of a vector."},
        "min_similarity": {
            "type": "number",
            "minimum": -1,
            "maximum": 1,
            "description": "Cosine below which a passage is no answer.",
        },
        "api_key": {
            "type": "string",
            "x-gsws-secret": True,
            "description": "Default: GOOGLE_API_KEY.",
        },
        "base_url": {"type": "string", "pattern": "^(https?://|$)", "description": "Address of the provider."},
    },
}

_SCHEMA: Final[Mapping[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A gsws datasource of type documents",
    "type": "object",
    "additionalProperties": False,
    "required": ["type"],
    "properties": {
        "type": {"const": "documents"},
        "path": {**_TEXT, "description": "Folder of documents, from the folder that holds `functions/`."},
        "database": {**_TEXT, "description": "SQLite file of the index; default `.gsws/NAME.sqlite`."},
        "include": {**_PATTERNS, "minItems": 1, "description": "Which files are read; `**` crosses folders."},
        "exclude": {**_PATTERNS, "description": "Which files are not, though `include` asks for them."},
        "max_file_bytes": {"x-gsws-kind": "size", "description": "Larger files are skipped."},
        "refresh": {"type": "boolean", "description": "Whether a search looks for changed files before."},
        "wait": {
            "x-gsws-kind": "duration",
            "maximum": 60,
            "description": "How long a search waits at most for changed files to be read.",
        },
        "embeddings": {
            "anyOf": [{"const": False}, _EMBEDDINGS],
            "description": "Search by meaning too; every document is sent to the provider. False for none.",
        },
    },
}

_DEFAULTS: Final[Mapping[str, Any]] = {
    "path": "docs",
    "include": ["**/*.md", "**/*.markdown", "**/*.txt", "**/*.rst", "**/*.html", "**/*.htm", "**/*.pdf"],
    "exclude": [],
    "max_file_bytes": "10MiB",
    "refresh": True,
    "wait": "2s",
}

_YAML: Final = """\
# A folder of documents, indexed for search. `gsws index` builds the index; serving keeps it up to date.
type: documents
path: docs                 # Markdown, text, HTML and PDF

# include: ["**/*.md", "**/*.pdf"]        # only these
# exclude: ["drafts/**"]                  # but not these
# max_file_bytes: 10MiB                   # larger files are skipped
# database: .gsws/documents.sqlite        # can be made again at any time; keep it out of git
# embeddings: {model: gemini-embedding-001}      # search by meaning too; needs GOOGLE_API_KEY, here or in `.env`
"""


class DocumentsPlugin:
    """Facts and factory of ``type: documents``."""

    type = "documents"
    source_type: SourceType = "datasource"
    config_file_name = "documents"
    config_text = _YAML
    default_config = _DEFAULTS
    config_schema = _SCHEMA

    def create(self, config: Mapping[str, Any], context: SourceContext) -> FolderIndex:
        """
        Open the index, and begin to bring it up to date in a thread of its own.

        Returns:
            The `FolderIndex`, a retriever: ``await asyncio.to_thread(ctx.datasources.documents.search, question)``.

        Raises:
            EnvironmentFailure: If the extra ``ai`` is not installed, or embeddings are configured without a key.
            OSError: If the database cannot be made.
        """
        index = open_index(config, context.base, context.name, context.environ)
        index.refresh_soon()
        return index


def open_index(config: Mapping[str, Any], base: Path, name: str, environ: Mapping[str, str]) -> FolderIndex:
    """
    Open the index of one file of ``datasources/``; nothing is read yet.

    Args:
        config: Checked against the schema.
        base: Relative paths start here.
        name: The datasource's name, for the database's.
        environ: The variables that the project sees, for the key of embeddings.

    Raises:
        EnvironmentFailure: As `DocumentsPlugin.create`.
    """
    from gsws.ai.retrieval import FolderIndex

    values = {**_DEFAULTS, **config}
    database = values.get("database")
    embeddings = values.get("embeddings") or None
    return FolderIndex(
        base / values["path"],
        base / database if database else (find_root(base) or base) / ".gsws" / f"{name}.sqlite",
        patterns=values["include"],
        exclude=values["exclude"],
        max_file_bytes=size(values["max_file_bytes"]) or 0,
        embeddings=None if embeddings is None else _embeddings(embeddings, environ),
        min_similarity=0.6 if embeddings is None else embeddings.get("min_similarity", 0.6),
        refresh=values["refresh"],
        wait=duration(values["wait"]) or 0.0,
    )


def _embeddings(config: Mapping[str, Any], environ: Mapping[str, str]) -> Embedder:
    from gsws.ai.retrieval import gemini_embeddings

    return gemini_embeddings(
        config["model"],
        dimensions=config.get("dimensions", 768),
        api_key=config.get("api_key"),
        base_url=config.get("base_url"),
        environ=environ,
    )


plugin = DocumentsPlugin()
