"""Time until Explore shows the first page of a large dataset, and memory of the server.

    CFU_HOME=... python -m benchmarks.first_page DATASET

``benchmarks.scale --keep`` leaves such a home folder and prints its path. The benchmark starts the dashboard, opens the
Overview, and chooses Explore in the menu, in a new browser context each time. It measures the time from the click until
all visible tiles have their images. At the first visit the server has read only the table of the dataset; later, its
caches are filled. Then the benchmark opens each panel and a large image, and prints the memory of the server.
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
TILES_LOADED = """() => {
    const tiles = [...document.querySelectorAll('.stBidiComponent *')]
        .flatMap(e => [...(e.shadowRoot?.querySelectorAll('[role=option] img') ?? [])])
        .concat([...document.querySelectorAll('[role=option] img')])
        .filter(img => img.getBoundingClientRect().top < innerHeight)
    return tiles.length >= 8 && tiles.every(img => img.complete && img.naturalWidth > 0)
}"""


def main() -> None:
    """Print the time of each visit, and the memory of the server."""
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
        print(f"memory of the server with the Overview open: {megabytes(server)} MB")
        waits = [visit(browser, f"{url}/?dataset={dataset}") for _ in range(VISITS)]
        print(f"first page of Explore: {waits[0]:.2f} s at the first visit")
        print(f"{VISITS - 1} later visits: median {statistics.median(waits[1:]):.2f} s")
        print(f"memory of the server: {megabytes(server)} MB")
        use_explore(page, f"{url}/explore?dataset={dataset}")
        print(f"memory of the server after every panel, two sorts and a large image: {megabytes(server)} MB")
    print(f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "")


def visit(browser: Browser, address: str) -> float:
    """Return the seconds from the click in the menu until all visible tiles have their images."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector(SETTLED, state="attached")
    page.wait_for_selector(".main-svg")  # the chart is drawn last
    explore = page.get_by_test_id("stSidebarNav").get_by_role("link", name="Explore")
    started = time.perf_counter()
    explore.click()
    page.wait_for_function(TILES_LOADED, timeout=60_000)
    seconds = time.perf_counter() - started
    context.close()
    return seconds


def use_explore(page: Page, address: str) -> None:
    """Sort twice, open every panel, and show an image large."""
    for query in ("", "&sort=brightness", "&sort=sharpness&down=True"):
        page.goto(address + query)
        page.wait_for_function(TILES_LOADED, timeout=60_000)
    for name in PANELS:
        page.get_by_role("radiogroup", name="Panel").get_by_role("radio", name=name, exact=True).click()
        page.wait_for_selector(SETTLED, state="attached")
    page.get_by_role("listbox").get_by_role("option").first.dblclick()
    page.wait_for_selector("canvas[role=img]")


def megabytes(process: psutil.Process) -> int:
    """Return the resident memory of a process and its children in MB."""
    return round(sum(p.memory_info().rss for p in (process, *process.children(recursive=True))) / 1e6)


if __name__ == "__main__":
    main()
