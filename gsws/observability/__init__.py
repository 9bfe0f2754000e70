"""
What a running service says about itself: logs, and the stacks of handlers that block it.

A service does not know this floor; it is attached by `gsws serve`.
"""
