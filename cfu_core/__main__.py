"""Run a subcommand of the command line: ``python -m cfu_core SUBCOMMAND``."""

import sys

from cfu_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
