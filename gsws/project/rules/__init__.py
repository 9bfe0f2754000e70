"""
The rules that look at a loaded project, one module a family.

A rule is a function that yields findings; `gsws.project.rules.run` runs them, each on its own. What is wrong with the
shape of a file is told by whoever reads it; here is what needs code, several files or the environment.
"""
