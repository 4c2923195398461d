"""Run the router once in a newly started server.

Until then Streamlit does not know the pages and answers a link to one of them with "Page not found".
"""

import sys
import time
import urllib.error
import urllib.request

TIMEOUT_S = 60


def warm_up(port: int) -> None:
    """Request the health check of the script until the server answers."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/script-health-check", timeout=10):
                return
        except urllib.error.URLError:
            time.sleep(0.2)


if __name__ == "__main__":
    warm_up(int(sys.argv[1]))
