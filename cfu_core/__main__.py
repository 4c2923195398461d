"""``python -m cfu_core``: the dashboard's verbs from a shell."""

import sys

from cfu_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
