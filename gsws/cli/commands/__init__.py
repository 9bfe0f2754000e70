"""One module a command: `run` does it and returns the exit code."""
