"""Shapes of the files of a project and the check of values against them; imports `reporting` and `files`."""
