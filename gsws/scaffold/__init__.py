"""
Writing new files: whole projects from templates, and single elements of a project.

Everything is decided before the first byte is written, and nothing that exists is overwritten.
"""
