"""
JSON Schema: compiled once when the project loads, asked on every message, explained after a refusal.

`Definitions` are the project's shared schemas; nothing here reads a file or the network.
"""

from gsws.schema.compile import Compiled, SoundSchemas, Validator, compile_schema
from gsws.schema.definitions import Definitions
from gsws.schema.explain import SchemaError

__all__ = ["Compiled", "Definitions", "SchemaError", "SoundSchemas", "Validator", "compile_schema"]
