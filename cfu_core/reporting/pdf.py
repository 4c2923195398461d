"""Conversion of HTML to PDF with a browser that is installed on the computer."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cfu_core.errors import ReportError

BROWSER_NAMES = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    *("microsoft-edge", "microsoft-edge-stable", "msedge", "brave-browser"),
)
BROWSER_PATHS = {
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
PRINT_MANUALLY = "Open the HTML in a browser and print it, on paper or as PDF."
TIMEOUT_SECONDS = 120


def find_browser() -> str | None:
    """Find a browser that can print without a display: Chromium, Chrome, Edge or Brave.

    Returns
    -------
    str or None
        Path of the program, from the PATH or else from the usual folders of macOS and Windows; None if there is none.
    """
    named = next((found for name in BROWSER_NAMES if (found := shutil.which(name))), None)
    return named or next((path for path in BROWSER_PATHS.get(sys.platform, ()) if Path(path).is_file()), None)


def print_pdf(html: str) -> bytes:
    """Convert an HTML page to PDF.

    Parameters
    ----------
    html : str
        Self-contained page; nothing is loaded from the network.

    Returns
    -------
    bytes
        Content of a PDF file.

    Raises
    ------
    ReportError
        No browser was found, or it produced no PDF within `TIMEOUT_SECONDS`.
    """
    browser = find_browser()
    if browser is None:
        raise ReportError(
            "No browser that can print was found on this computer.",
            "Chromium, Chrome or Edge is needed for PDF.",
            PRINT_MANUALLY,
        )
    with tempfile.TemporaryDirectory(prefix="cfu-print-", ignore_cleanup_errors=True) as folder:
        page, printed = Path(folder) / "report.html", Path(folder) / "report.pdf"
        page.write_text(html, encoding="utf-8")
        # separate profile: a running browser would take over the command and print nothing
        flags = ["--headless", "--disable-gpu", "--no-first-run", f"--user-data-dir={Path(folder) / 'profile'}"]
        flags += ["--host-resolver-rules=MAP * ~NOTFOUND", "--disable-background-networking", "--disable-extensions"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            flags.append("--no-sandbox")  # its sandbox refuses to run for root
        command = [browser, *flags, "--no-pdf-header-footer", f"--print-to-pdf={printed}", page.as_uri()]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", check=False, timeout=TIMEOUT_SECONDS
            )
            reason = done.stderr.strip()[-300:] or f"it ended with status {done.returncode}"
        except (OSError, subprocess.TimeoutExpired) as error:
            reason = str(error)[:300]
        content = printed.read_bytes() if printed.exists() else b""
    if not content.startswith(b"%PDF"):
        raise ReportError(f"{browser} produced no PDF: {reason}.", "", PRINT_MANUALLY)
    return content
