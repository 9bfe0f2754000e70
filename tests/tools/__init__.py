"""Scripts of the repository: the demo, and the reference pages that are made from the code."""
