"""
Hot reload: watches a project's files and gives a running service its next revision.

Only `gsws serve` in development imports this; a service does not know it.
"""
