"""How soon Explore shows the first page of a large dataset, and how much memory the server takes.

    CFU_HOME=... python -m benchmarks.first_page DATASET

`benchmarks.scale --keep` leaves such a home folder and prints its path. Starts the dashboard, opens its front page and
chooses Explore in the menu: the time runs from the click until all tiles in sight have their pictures. The browser is
a new one each time. The first time the server has opened no more than the dataset's table; after that, it has seen
all. Then opens the panels one after the other and a large image, and prints what the server's memory came to.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Page

from benchmarks.interaction import SETTLED, dashboard, window

VISITS = 5
PANELS = ("Measures", "Map", "Audit", "History", "Classes")
IN_SIGHT = """() => {
    const tiles = [...document.querySelectorAll('.stBidiComponent *')]
        .flatMap(e => [...(e.shadowRoot?.querySelectorAll('[role=option] img') ?? [])])
        .concat([...document.querySelectorAll('[role=option] img')])
        .filter(img => img.getBoundingClientRect().top < innerHeight)
    return tiles.length >= 8 && tiles.every(img => img.complete && img.naturalWidth > 0)
}"""


def main() -> None:
    """Print the seconds of every visit, and the memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    dataset = parser.parse_args().dataset
    with tempfile.TemporaryDirectory() as folder, dashboard(Path(folder)) as port, window() as page:
        url = f"http://127.0.0.1:{port}"
        browser = page.context.browser
        assert browser is not None
        page.goto(url)
        page.wait_for_selector(SETTLED, state="attached")
        server = next(
            process
            for process in psutil.Process().children(recursive=True)
            if "streamlit" in " ".join(process.cmdline())
        )
        print(f"server's memory with the front page: {megabytes(server)} MB")
        waits = [visit(browser, f"{url}/?dataset={dataset}") for _ in range(VISITS)]
        print(f"first page of the gallery: {waits[0]:.2f} s for the server's first visitor")
        print(f"again, {VISITS - 1} new visitors: median {statistics.median(waits[1:]):.2f} s")
        print(f"server's memory: {megabytes(server)} MB")
        walk(page, f"{url}/explore?dataset={dataset}")
        print(f"server's memory after every panel, two sorts and a large image: {megabytes(server)} MB")
    print(f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "")


def visit(browser: Browser, address: str) -> float:
    """Seconds from the click in the menu until the tiles in sight are there."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector(SETTLED, state="attached")
    page.wait_for_selector(".main-svg")  # the figure of the front page: now it stands
    explore = page.get_by_test_id("stSidebarNav").get_by_role("link", name="Explore")
    started = time.perf_counter()
    explore.click()
    page.wait_for_function(IN_SIGHT, timeout=60_000)
    seconds = time.perf_counter() - started
    context.close()
    return seconds


def walk(page: Page, address: str) -> None:
    """Whatever a person does in the first minutes."""
    for query in ("", "&sort=brightness", "&sort=sharpness&down=True"):
        page.goto(address + query)
        page.wait_for_function(IN_SIGHT, timeout=60_000)
    for name in PANELS:
        page.get_by_role("radiogroup", name="Panel").get_by_role("radio", name=name, exact=True).click()
        page.wait_for_selector(SETTLED, state="attached")
    page.get_by_role("listbox").get_by_role("option").first.dblclick()
    page.wait_for_selector("canvas[role=img]")


def megabytes(process: psutil.Process) -> int:
    """Resident memory of a process and its children."""
    return round(sum(p.memory_info().rss for p in (process, *process.children(recursive=True))) / 1e6)


if __name__ == "__main__":
    main()
