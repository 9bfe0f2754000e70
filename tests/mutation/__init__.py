"""
The mutation test: clean projects are corrupted, one character or one key at a time, and `gsws` must notice.

`python -m tests.mutation --count 5000 --seed 1` runs it at length; `make test` runs a short one.
"""
