"""Response times of the dashboard: a slider of the Preprocess page, and the menu.

    python -m benchmarks.interaction

Starts the dashboard with a separate CFU_HOME and drawn images of 1024 x 1024 pixels, and a headless Chromium, both on
two cores, and prints

1. the time from a slider's value to its new picture, for 50 single changes: from the message with the value until the
   message with the JPEG, both recorded by a proxy between browser and server. It includes a whole run of the script,
   but not the work of the browser;
2. the number of different pictures drawn per second while the slider is dragged without a pause;
3. the time from a click in the menu until the page is complete: its title is shown, its script has ended, and its
   pictures are loaded;
4. the time of CLAHE here and in scikit-image, on the same image.

Seconds depend on the machine and its load, which is printed as well.
"""

import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import Locator, Page, sync_playwright
from skimage.exposure import equalize_adapthist

from benchmarks.recording_proxy import RecordingProxy
from cfu_core import PROJECT
from cfu_core.dataset.demo.frame import draw_frame
from cfu_core.dataset.importing.source import import_source
from cfu_core.imaging.contrast import clahe, scikit_image_clip_limit
from pages.components.server.warmup import warm_up

CORES = 2
SIDE = 1024
CHANGES = 50
DRAGS, DRAG_S = 3, 5.0
PAGES = ("Overview", "Explore", "Preprocess")
SWITCHES = 50
SETTLED = "[data-testid=stApp][data-test-connection-state=CONNECTED][data-test-script-state=notRunning]"
SLIDER = "Clip limit"

# Records each picture of the canvas at the next frame, when it is on the screen.
WATCH = """canvas => {
  window.seen = []
  window.watching = new MutationObserver(() =>
    requestAnimationFrame(() => {
      const shown = canvas.dataset.digest
      if (shown !== window.seen.at(-1)?.[0]) window.seen.push([shown, performance.now()])
    })
  )
  window.watching.observe(canvas, { attributeFilter: ["data-digest"] })
}"""
SEEN = "() => { window.watching.disconnect(); return window.seen }"

# Resolves when the page is complete, with the milliseconds since the click; checked once a frame.
COMPLETE = """([title, settled]) => {
  const complete = () =>
    [...document.querySelectorAll("[data-testid=stMain] h1")].some((h1) => h1.textContent === title) &&
    document.querySelector(settled) &&
    [...document.images].every((image) => image.complete) &&
    [...document.querySelectorAll("[data-testid=stSkeleton]")].length === 0
  window.switched = new Promise((resolve) => {
    const begin = () => {
      const clicked = performance.now()
      const check = () => (complete() ? resolve(performance.now() - clicked) : requestAnimationFrame(check))
      requestAnimationFrame(check)
    }
    document.addEventListener("click", begin, { once: true, capture: true })
  })
}"""


def main() -> None:
    """Print the four results."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])  # child processes inherit it
    print(f"{CORES} of {os.cpu_count()} cores; load at the start {_load()}")
    with tempfile.TemporaryDirectory(prefix="cfu-interaction-") as folder:
        dataset = make_home(Path(folder))
        where = f"preprocess?dataset={dataset}&crop=False&contrast=clahe"
        with dashboard(Path(folder)) as port, window() as page:
            proxy = RecordingProxy(port)
            show_slider(page, f"http://127.0.0.1:{proxy.port}/{where}")
            measure_changes(page, proxy)
            show_slider(page, f"http://127.0.0.1:{port}/{where}")
            measure_drags(page)
            measure_menu(page)
    compare_clahe()
    print(f"load at the end {_load()}")


def make_home(folder: Path) -> str:
    """Make a home folder with a dataset of drawn images in `folder`; return the identifier of the dataset."""
    for kind in ("BFU-E", "CFU-GM"):
        (folder / "images" / kind).mkdir(parents=True)
        for number in range(6):
            cv2.imwrite(str(folder / "images" / kind / f"{number}.jpg"), square(kind, number)[..., ::-1])
    os.environ["CFU_HOME"] = str(folder / "home")
    return import_source(folder / "images", name="drawn").id


def square(kind: str, number: int) -> np.ndarray:
    """Return the middle of a drawn frame, RGB, enlarged to 1024 x 1024 pixels."""
    frame = draw_frame(kind, seed=0, number=number).image
    height, width = frame.shape[:2]
    left = (width - height) // 2
    return cv2.resize(frame[:, left : left + height], (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)


@contextmanager
def dashboard(folder: Path) -> Iterator[int]:
    """Start the dashboard in a process of its own, and yield its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", "--server.port", str(port)],
            cwd=PROJECT,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        warm_up(port)
        yield port
    finally:
        server.terminate()
        server.wait(timeout=20)


@contextmanager
def window() -> Iterator[Page]:
    """Yield a page of a headless Chromium."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        sys.exit("There is no chromium on the PATH. On Debian: apt-get install chromium.")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(60_000)
        yield page
        chromium.close()


def show_slider(page: Page, url: str) -> None:
    """Open the Preprocess page, and wait for both pictures."""
    page.goto(url)
    page.wait_for_selector(".live canvas[data-digest] + canvas[data-digest]")
    _settle(page)


def measure_changes(page: Page, proxy: RecordingProxy) -> None:
    """Print the time from a value to its picture."""
    print(f"image of {page.locator('.live .stage').get_attribute('data-size')} pixels")
    answers = [one_change(page, proxy) for _ in range(CHANGES + 3)][3:]  # the first ones fill caches
    size = statistics.median(size for _, size in answers)
    print(f"1. value to picture: {_spread([wait for wait, _ in answers])} ms, {CHANGES} changes, {size / 1000:.0f} kB")


def one_change(page: Page, proxy: RecordingProxy) -> tuple[float, int]:
    """Press an arrow key; return the milliseconds to the new picture, and the bytes of its message."""
    proxy.messages.clear()
    page.get_by_role("slider", name=SLIDER, exact=True).press("ArrowRight")
    while not any(message.jpeg for message in proxy.messages):
        page.wait_for_timeout(20)
    page.wait_for_timeout(200)  # a rerun of the whole page may follow
    _settle(page)
    value = next(message for message in proxy.messages if message.to_server)
    picture = next(message for message in proxy.messages if message.jpeg)
    return 1000 * (picture.time - value.time), picture.size


def measure_drags(page: Page) -> None:
    """Print the pictures per second during three drags."""
    after = page.locator(".live canvas").nth(1)
    for _ in range(DRAGS):
        print(f"2. drag: {drag(page, after)}")


def drag(page: Page, after: Locator) -> str:
    """Drag the slider to its end and back without a pause; return the result as text."""
    box = page.get_by_role("slider", name=SLIDER, exact=True).bounding_box()
    assert box is not None
    left, width, middle = box["x"] + 10, box["width"] - 20, box["y"] + box["height"] / 2
    page.mouse.move(left, middle)
    page.mouse.down()
    page.mouse.move(left + 5, middle)
    page.wait_for_timeout(500)
    after.evaluate(WATCH)
    began = time.perf_counter()
    moves = 0
    while (passed := time.perf_counter() - began) < DRAG_S:
        place = passed / DRAG_S * 2  # 0 to 2: to the end and back
        page.mouse.move(left + width * min(place, 2 - place), middle)
        page.wait_for_timeout(10)
        moves += 1
    seen = page.evaluate(SEEN)
    page.mouse.up()
    _settle(page)
    times = [when for _, when in seen]
    gaps = [b - a for a, b in pairwise(times)]
    return (
        f"{len({digest for digest, _ in seen}) / passed:.1f} different pictures a second, {_spread(gaps)} ms apart; "
        f"{moves / passed:.0f} moves of the mouse a second; load {_load()}"
    )


def measure_menu(page: Page) -> None:
    """Print the times from a click in the menu to the complete page."""
    for title in PAGES:  # every page once, to fill the caches
        switch(page, title)
    waits: dict[str, list[float]] = {}
    for number in range(SWITCHES):
        title = PAGES[number % len(PAGES)]
        waits.setdefault(title, []).append(switch(page, title))
    print(f"3. switch of page: {_spread([wait for each in waits.values() for wait in each])} ms, {SWITCHES} switches")
    for title, each in waits.items():
        print(f"   to {title}: {_spread(each)} ms")


def switch(page: Page, title: str) -> float:
    """Return the milliseconds from the click in the menu until the page is complete."""
    page.evaluate(COMPLETE, ["CFU Workbench" if title == "Overview" else title, SETTLED])
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=title).click()
    return page.evaluate("() => window.switched")


def compare_clahe() -> None:
    """Print the times of CLAHE."""
    image = square("BFU-E", 0)
    light = np.ascontiguousarray(cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[..., 0])
    limit = scikit_image_clip_limit(2.0)
    ours = _quickest(lambda: clahe(image, clip_limit=2.0, tiles=8), 30)
    colour = _quickest(lambda: equalize_adapthist(image, kernel_size=SIDE // 8, clip_limit=limit), 5)
    alone = _quickest(lambda: equalize_adapthist(light, kernel_size=SIDE // 8, clip_limit=limit), 5)
    print(f"4. CLAHE on colour: {ours:.1f} ms here, {colour:.0f} ms in scikit-image, {colour / ours:.0f} times as long")
    print(f"   scikit-image on the lightness alone: {alone:.0f} ms, {alone / ours:.0f} times ours on colour")


def _quickest(work: Callable[[], object], rounds: int) -> float:
    def once() -> float:
        began = time.perf_counter()
        work()
        return 1000 * (time.perf_counter() - began)

    return min(once() for _ in range(rounds))


def _settle(page: Page) -> None:
    page.wait_for_selector(SETTLED, state="attached")


def _spread(values: list[float]) -> str:
    """Return the median and the 90th percentile."""
    return f"{statistics.median(values):.0f} (90 %: {statistics.quantiles(values, n=10)[-1]:.0f})"


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


if __name__ == "__main__":
    main()
