"""
The wire protocol, sans-I/O: envelopes, codec, errors, close codes and the states of an answer.

Bytes and values in, bytes and values out. No sockets, no asyncio, no YAML.
"""
