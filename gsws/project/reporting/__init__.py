"""Findings on their way out: worded, isolated, silenced, without secrets, in order; imports nothing of the project."""
