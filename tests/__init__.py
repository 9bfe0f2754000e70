"""The tests: a folder for each of the package, and `e2e`, `conformance` and `benchmarks` beside them."""
