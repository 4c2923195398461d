"""Printing a page to PDF with a browser that is on the computer."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cfu_core.errors import ReportError

NAMES = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    *("microsoft-edge", "microsoft-edge-stable", "msedge", "brave-browser"),
)
PLACES = {
    "darwin": (
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    ),
    "win32": (
        r"C:\Program Files\Google\Chrome\Application\chrome.exe",
        r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
        r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
    ),
}
BY_HAND = "Open the HTML in a browser and print it, to paper or as PDF."
SECONDS = 120


def find_browser() -> str | None:
    """The program of a browser that can print without a screen, or None."""
    named = next((found for name in NAMES if (found := shutil.which(name))), None)
    return named or next((place for place in PLACES.get(sys.platform, ()) if Path(place).is_file()), None)


def print_pdf(html: str) -> bytes:
    """A page as PDF.

    Parameters
    ----------
    html : str
        Complete in itself: nothing is loaded from the network.

    Raises
    ------
    ReportError
        There is no browser, or it printed nothing.
    """
    browser = find_browser()
    if browser is None:
        raise ReportError(
            "No browser that prints was found on this computer.", "Chromium, Chrome or Edge makes the PDF.", BY_HAND
        )
    with tempfile.TemporaryDirectory(prefix="cfu-print-", ignore_cleanup_errors=True) as folder:
        page, printed = Path(folder) / "report.html", Path(folder) / "report.pdf"
        page.write_text(html, encoding="utf-8")
        # a profile of its own: a browser that is open would take the order and print nothing
        flags = ["--headless", "--disable-gpu", "--no-first-run", f"--user-data-dir={Path(folder) / 'profile'}"]
        flags += ["--host-resolver-rules=MAP * ~NOTFOUND", "--disable-background-networking", "--disable-extensions"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            flags.append("--no-sandbox")  # its sandbox refuses to run for root
        command = [browser, *flags, "--no-pdf-header-footer", f"--print-to-pdf={printed}", page.as_uri()]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", check=False, timeout=SECONDS
            )
            why = done.stderr.strip()[-300:] or f"it ended with status {done.returncode}"
        except (OSError, subprocess.TimeoutExpired) as error:
            why = str(error)[:300]
        content = printed.read_bytes() if printed.exists() else b""
    if not content.startswith(b"%PDF"):
        raise ReportError(f"{browser} printed no PDF: {why}.", "", BY_HAND)
    return content
