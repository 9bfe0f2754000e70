"""`python -m gsws` is the `gsws` command."""

from __future__ import annotations

import sys

from gsws.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())
