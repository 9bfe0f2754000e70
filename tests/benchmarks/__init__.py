"""`python -m tests.benchmarks`: gsws beside servers that do the same work, measured in one run."""
