"""Python files of a project: what they define and do, read from syntax trees; imports `reporting` and `specs`."""
