"""
The servers that gsws is compared with, each written by hand as its users write it.

All do the same work for a message: parse `{"eventtype", "id", "payload"}`, look the event up in a table,
check the payload against one JSON Schema, and answer
`{"eventtype": "reply", "id", "payload": {"success", "code", "data"}}`.
"""
