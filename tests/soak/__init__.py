"""`make soak`: sessions under thousands of random faults; and the figures and the fuzzing that take minutes."""
