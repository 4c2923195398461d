"""Runs the router once in a freshly started server, so that the first visit to any page finds it.

Until then Streamlit does not know the menu and answers a deep link with "Page not found".
"""

import sys
import time
import urllib.error
import urllib.request

PATIENCE_S = 60


def warm_up(port: int) -> None:
    """Ask for the script's health until the server answers."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/script-health-check", timeout=10):
                return
        except urllib.error.URLError:
            time.sleep(0.2)


if __name__ == "__main__":
    warm_up(int(sys.argv[1]))
