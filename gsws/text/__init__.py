"""Text and places in it; imports nothing of the package."""
