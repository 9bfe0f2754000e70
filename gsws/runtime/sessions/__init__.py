"""Whose requests and rooms these are: of a client that goes with its connection, or of a session that outlives it."""
