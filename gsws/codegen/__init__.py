"""What is generated from a project: schemas for editors."""

from gsws.codegen.editor import editor_schemas, schema_files

__all__ = ["editor_schemas", "schema_files"]
