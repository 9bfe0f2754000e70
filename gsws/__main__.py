"""`python -m gsws` is the `gsws` command."""

from __future__ import annotations

import sys

if not sys.flags.safe_path:
    # `python -m` puts the working directory before the libraries: a `msgspec.py` that lies there would be run.
    del sys.path[0]

from gsws.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())
