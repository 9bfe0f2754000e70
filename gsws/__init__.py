"""gsws."""
