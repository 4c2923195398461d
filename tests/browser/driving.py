"""A server in a process of its own, and a browser window with the elements of the pages."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import psutil
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from cfu_core import PROJECT
from cfu_core.runs.run import Run
from pages.components.server.warmup import warm_up

MENU = ("Overview", "Explore", "Preprocess", "Train", "Results")
SETTLED = "[data-testid=stApp][data-test-connection-state=CONNECTED][data-test-script-state=notRunning]"
# Before the server's first message the page looks idle although it has sent a request: record both times.
RECORD_MESSAGES = """
const send = WebSocket.prototype.send
WebSocket.prototype.send = function (...message) {
    window.said = performance.now()
    if (!this.noted) this.addEventListener("message", () => { window.heard = performance.now() })
    this.noted = true
    return send.apply(this, message)
}"""
# The first message of an answer arrives before the page shows that its script runs: wait until none came for a while.
ANSWERED = """settled =>
    document.querySelector(settled) && window.heard >= window.said && performance.now() - window.heard > 50"""
#: Both themes and two widths; colours do not depend on the width, nor the layout on the colours.
in_two_forms = pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 800)])
TIMEOUT_MS = 30_000  # for an update of the page
LONG_TIMEOUT_MS = 200_000  # for computations; less than the timeout of pytest, whose message is less precise

expect.set_options(timeout=TIMEOUT_MS)


class Server:
    """The dashboard, or another script, in a process of its own with a home folder and a port."""

    def __init__(self, home: Path, port: int | None = None, script: Path = PROJECT / "streamlit_app.py") -> None:
        self.home = home
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = home.with_name(f"{home.name}-server.log")
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(self.port)],
                cwd=PROJECT,
                env=os.environ | {"CFU_HOME": str(home), "PYTHONPATH": str(PROJECT)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        warm_up(self.port)
        assert self.process.poll() is None, self.log.read_text()

    def kill(self) -> None:
        """Kill the server and its process group, as a closed terminal can; runs continue."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=20)

    def close(self) -> None:
        """Kill the server and every process of its home folder."""
        self.kill()
        while left := workers(self.home):
            for process in left:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(left, timeout=20)


def free_port() -> int:
    """Return a free TCP port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def workers(home: Path) -> list[psutil.Process]:
    """Return the processes whose home folder is `home`, without this one."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get("CFU_HOME") == str(home):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def runs_in(home: Path) -> list[Run]:
    """Return the runs in a home folder, oldest first."""
    return [Run(path.parent) for path in sorted((home / "runs").glob("[!.]*/spec.json"))]


class Screen:
    """One browser window, with all selectors of the pages."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        page.add_init_script(RECORD_MESSAGES)

    def open(self, page: str = "", **query: str) -> None:
        """Open a page by its URL: ``open("explore", dataset="cells-0f1de16f")``."""
        self.page.goto(f"{self.url}/{page}" + (f"?{urlencode(query)}" if query else ""))
        self.settle()

    def reload(self) -> None:
        """Reload the page."""
        self.page.reload()
        self.settle()

    def settle(self) -> None:
        """Wait until the script has finished and the page is up to date."""
        self.page.wait_for_function(ANSWERED, arg=SETTLED)

    def go(self, title: str) -> None:
        """Open a page from the menu."""
        self.page.get_by_test_id("stSidebarNav").get_by_role("link", name=title).click()
        self.expect_page(title)

    def expect_page(self, title: str) -> None:
        """Expect the page with this menu entry, complete and without an exception."""
        heading = "CFU Workbench" if title == "Overview" else title
        expect(self.page.get_by_role("heading", name=heading, exact=True, level=1)).to_be_visible()
        self.settle()
        expect(self.page.get_by_test_id("stSidebarNavLink")).to_have_count(len(MENU))
        self.expect_no_exception()

    def expect_no_exception(self) -> None:
        """Expect no exception on the page."""
        expect(self.page.get_by_test_id("stException")).to_have_count(0)

    def widget(self, key: str) -> Locator:
        """Return a widget by its key, or by the start of its key: ``stop-*``."""
        if key.endswith("*"):
            return self.page.locator(f"[class*=' st-key-{key[:-1]}']")
        return self.page.locator(f".st-key-{key}")

    def choose(self, key: str, option: str) -> None:
        """Select an option of a segmented control."""
        button = self.widget(key).get_by_role("radio", name=option, exact=True)
        changes = button.get_attribute("aria-checked") != "true"
        said = self.page.evaluate("window.said")
        button.click()
        expect(button).to_have_attribute("aria-checked", "true")
        if changes:  # the page shows the choice before it sends it
            self.page.wait_for_function("before => window.said > before", arg=said)
        self.settle()

    def select(self, key: str, option: str | int) -> None:
        """Select the option of a select box with this text, or at this position from 0."""
        box = self.selected(key)
        box.evaluate("""async box => {
            box.scrollIntoView({block: "center"})
            await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))
        }""")  # scrolling would close the list
        box.click()
        options = self.page.get_by_role("option")
        (options.nth(option) if isinstance(option, int) else options.filter(has_text=option)).click()
        self.settle()

    def selected(self, key: str) -> Locator:
        """Return the input with the value of a select box."""
        return self.widget(key).get_by_role("combobox")

    def press(self, key: str, stroke: str) -> None:
        """Press a key on the thumb of a slider."""
        self.widget(key).get_by_role("slider").press(stroke)

    def button(self, name: str) -> Locator:
        """Return a button by its name."""
        return self.page.get_by_role("button", name=name)

    def panel(self, name: str) -> None:
        """Open a panel of the page."""
        button = self.page.get_by_role("radiogroup", name="Panel").get_by_role("radio", name=name, exact=True)
        button.click()
        expect(button).to_have_attribute("aria-checked", "true")
        self.settle()

    def text(self, text: str | re.Pattern[str]) -> Locator:
        """Return the element with a text, outside the sidebar."""
        return self.page.get_by_test_id("stMain").get_by_text(text)

    def alerts(self) -> Locator:
        """Return the messages on the page."""
        return self.page.get_by_test_id("stAlert")

    def progress(self) -> Locator:
        """Return the progress bars on the page."""
        return self.page.get_by_test_id("stProgress")

    def picture(self, caption: str) -> Locator:
        """Return the image with this caption."""
        return self.page.get_by_test_id("stImage").filter(has_text=caption).locator("img")

    def tiles(self) -> Locator:
        """Return the tiles of the grids on the page."""
        return self.page.get_by_role("listbox").get_by_role("option")

    def expect_fits(self) -> None:
        """Expect that no element is wider than the page."""
        main = self.page.get_by_test_id("stMain")
        assert main.evaluate("e => e.scrollWidth <= e.clientWidth")

    def expect_accessible(self) -> None:
        """Expect that no element is wider than the page, and that axe finds no accessibility problem."""
        self.expect_fits()
        self.page.mouse.move(0, 0)  # Streamlit's tooltips are outside its landmarks
        expect(self.page.get_by_role("tooltip")).to_have_count(0)
        with self._full_height():
            found = Axe().run(self.page)
        wrong = [
            f"{each['id']}: {each['help']} {[node['target'] for node in each['nodes']]}"
            for each in found.response["violations"]
        ]
        assert not wrong, "\n".join(wrong)

    @contextmanager
    def _full_height(self) -> Iterator[None]:
        """Make the window as high as the page, because axe cannot check the colours of hidden parts."""
        before = self.page.viewport_size
        assert before is not None
        height = self.page.get_by_test_id("stMain").evaluate("e => e.scrollHeight")
        self.page.set_viewport_size({**before, "height": max(height, before["height"])})
        self.settle()
        yield
        self.page.set_viewport_size(before)

    def slider(self, name: str) -> Locator:
        """Return a slider of the live view."""
        return self.page.locator(".live").get_by_role("slider", name=name, exact=True)

    def enhanced(self) -> str:
        """Return the digest of the live view's image after the contrast step, or an empty text before it is drawn."""
        picture = self.page.locator(".live canvas[data-digest]").nth(1)
        return picture.get_attribute("data-digest") or ""

    def expect_enhanced_other_than(self, *before: str) -> str:
        """Wait for a new image in the live view, and return its digest."""
        for _ in range(100):
            now = self.enhanced()
            if now not in before:
                return now
            self.page.wait_for_timeout(100)
        raise AssertionError("the image did not change within ten seconds")

    def table(self, has_column: str) -> list[dict[str, str]]:
        """Return the rows of the data frame with this column, from its accessible table."""
        grid = self.page.locator("table[role=grid]").filter(
            has=self.page.locator("[role=columnheader]", has_text=has_column)
        )
        expect(grid.first).to_be_attached()
        return grid.first.evaluate(
            """grid => {
                const texts = (row, role) => [...row.querySelectorAll(`[role=${role}]`)].map(c => c.textContent)
                const names = texts(grid, "columnheader")
                const rows = [...grid.querySelectorAll("tbody [role=row]")].map(row => texts(row, "gridcell"))
                return rows.map(row => Object.fromEntries(row.map((text, i) => [names[i], text])))
            }"""
        )

    def expect_confusion(self, matrix: list[list[int]]) -> None:
        """Expect a confusion matrix with these counts in their cells."""
        labels = self.widget("confusion").locator("g.textpoint text")
        expect(labels).to_have_text([str(number) for row in matrix for number in row])
        centres = labels.evaluate_all(
            """texts => texts.map(text => {
                const box = text.getBoundingClientRect()
                return [Math.round(box.y + box.height / 2), Math.round(box.x + box.width / 2)]
            })"""
        )
        assert centres == sorted(centres), "not from the upper left to the lower right"
        assert len({y for y, _ in centres}) == len({x for _, x in centres}) == len(matrix)

    def expect_drawn_figures(self) -> None:
        """Expect that all charts on the page have been drawn."""
        expect(self.page.get_by_test_id("stPlotlyChart").filter(has_not=self.page.locator(".main-svg"))).to_have_count(
            0
        )

    def open_advanced(self) -> Locator:
        """Open the advanced settings on the Train page, and return the input of the epochs."""
        epochs = self.widget("train_epochs").get_by_role("spinbutton")
        if not epochs.is_visible():
            self.page.get_by_test_id("stExpander").filter(has=self.widget("train_epochs")).locator("summary").click()
        expect(epochs).to_be_visible()
        return epochs

    def start_training(self, network: str, epochs: int) -> None:
        """Enter settings on the Train page and start the training."""
        self.choose("network", network)
        self.choose("train_weights", "Random")
        field = self.open_advanced()
        field.fill(str(epochs))
        field.press("Enter")
        self.settle()
        self.button("Start training").click()

    def expect_ended(self, *runs: Run) -> None:
        """Wait until these runs have ended and the page shows that no run is left.

        The button that stops a run is absent for a moment when the page changes, so its absence is no sign of the end.
        """
        deadline = time.monotonic() + LONG_TIMEOUT_MS / 1000
        while not all(run.status().state.ended for run in runs):
            assert time.monotonic() < deadline, [run.status() for run in runs]
            self.page.wait_for_timeout(100)
        expect(self.widget("stop-*")).to_have_count(0)

    def query(self) -> dict[str, str]:
        """Return the parameters of the URL."""
        return {key: values[-1] for key, values in parse_qs(urlsplit(self.page.url).query).items()}

    def upload(self, path: Path, name: str = "") -> None:
        """Import a zip on the Overview page."""
        if name:
            self.widget("import_name_*").get_by_role("textbox").fill(name)
            self.widget("import_name_*").get_by_role("textbox").press("Enter")
            self.settle()
        self.widget("import_zip_*").locator("input[type=file]").set_input_files(path)
        go = self.widget("import_go").get_by_role("button")
        expect(go).to_be_enabled()
        go.click()
