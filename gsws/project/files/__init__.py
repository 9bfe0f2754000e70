"""Finding and reading the files of a project, and look-ups in them; imports `python` and `reporting`."""
