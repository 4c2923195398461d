"""Response time of the Results page with many runs.

    CFU_HOME=... python -m benchmarks.many_runs RUN

RUN is a finished run. In a separate home folder the benchmark makes 500 copies of it, without the weights, each with
another seed and other predictions. Then it starts the dashboard and a browser, and prints the time from a click on
Results in the menu until the page is complete with its tables, plots and images, and the time from removing a run from
the comparison, or adding one, until the page is complete again.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page

from benchmarks.interaction import SETTLED, dashboard, window
from cfu_core.runs.run import Run
from cfu_core.runs.run_store import open_run
from cfu_core.storage import home, write_json

RUNS = 500
VISITS, SWITCHES = 6, 20
NOT_COPIED = ("model.safetensors", "checkpoints", "gradcam.npz", "bundle.zip")


def main() -> None:
    """Measure and print the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    run = open_run(parser.parse_args().run)
    with tempfile.TemporaryDirectory(prefix="cfu-runs-") as folder:
        many_home = Path(folder) / "home"
        shutil.copytree(home(), many_home, ignore=shutil.ignore_patterns("runs", "cache", "jobs"))
        multiply(run, many_home / "runs")
        os.environ["CFU_HOME"] = str(many_home)
        dataset = run.plan.dataset.id
        with dashboard(Path(folder)) as port, window() as page:
            url = f"http://127.0.0.1:{port}"
            browser = page.context.browser
            assert browser is not None
            waits = [visit(browser, f"{url}/?dataset={dataset}") for _ in range(VISITS)]
            print(f"{RUNS} runs, {run.evaluation().n_images} test images each")  # type: ignore[union-attr]
            print(f"first visitor of the server: the page is complete after {waits[0]:.2f} s")
            later = waits[1:]
            print(f"{len(later)} later visitors: median {statistics.median(later):.2f} s, maximum {max(later):.2f} s")
            switches = switch(page, f"{url}/results?dataset={dataset}")
            print(
                f"changing the compared runs, {SWITCHES} times: median {1000 * statistics.median(switches):.0f} ms, "
                f"maximum {1000 * max(switches):.0f} ms"
            )
    print(f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "")


def multiply(run: Run, folder: Path) -> None:
    """Write copies of a run with other seeds and predictions into a folder."""
    rng = np.random.default_rng(0)
    tested = run.predictions()
    probabilities = run.probabilities("test")
    assert tested is not None
    assert probabilities is not None
    created = run.created
    for number in range(RUNS):
        now = created + timedelta(minutes=number)
        copy = Run(folder / f"{now:%Y%m%d-%H%M%S-%f}-{number:04d}")
        shutil.copytree(run.folder, copy.folder, ignore=shutil.ignore_patterns(*NOT_COPIED))
        spec = json.loads(json.dumps(run.spec))
        spec["created"] = now.isoformat(timespec="microseconds")
        spec["config"]["seed"] = number
        write_json(copy.folder / "spec.json", spec)
        blurred = probabilities[1] + rng.uniform(0, 0.4, probabilities[1].shape)
        copy.write_predictions("test", tested["path"], tested["true"], blurred / blurred.sum(axis=1, keepdims=True))


def visit(browser: Browser, address: str) -> float:
    """Return the seconds from the click in the menu until the page is complete."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector(SETTLED, state="attached")
    page.wait_for_selector(".main-svg")
    started = time.perf_counter()
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Results").click()
    page.wait_for_selector("h1:has-text('Results')")
    page.wait_for_selector(".st-key-confusion .main-svg", state="attached", timeout=60_000)
    page.wait_for_selector(SETTLED, state="attached", timeout=60_000)
    seconds = time.perf_counter() - started
    context.close()
    return seconds


def switch(page: Page, address: str) -> list[float]:
    """Return the seconds from each change of the compared runs until the page is complete again."""
    page.goto(address)
    page.wait_for_selector(".st-key-confusion .main-svg", state="attached", timeout=60_000)
    page.wait_for_selector(SETTLED, state="attached")
    waits = []
    chosen = page.locator(".st-key-table_runs")
    for number in range(SWITCHES):
        page.wait_for_timeout(300)
        if not chosen.is_visible():  # Escape closes the list of options, and the popover around it
            page.get_by_role("button", name="runs compared").click()
        if number % 2 == 0:
            started = time.perf_counter()
            chosen.get_by_role("button", name="Remove").first.click()
        else:
            chosen.get_by_role("combobox").click()
            started = time.perf_counter()
            page.get_by_role("option").nth(1).click()  # the first one chooses all
        page.wait_for_function(
            "() => document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'running'"
        )
        page.wait_for_selector(SETTLED, state="attached", timeout=60_000)
        waits.append(time.perf_counter() - started)
        page.keyboard.press("Escape")
    return waits


if __name__ == "__main__":
    main()
