"""A real server, a browser window, and where things stand on the pages."""

import os
import re
import signal
import socket
import subprocess
import sys
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
# Until the server's first word the page takes itself for at rest, though it has asked for something.
NOTE_TALK = """
const send = WebSocket.prototype.send
WebSocket.prototype.send = function (...message) {
    window.said = performance.now()
    if (!this.noted) this.addEventListener("message", () => { window.heard = performance.now() })
    this.noted = true
    return send.apply(this, message)
}"""
ANSWERED = "settled => document.querySelector(settled) && window.heard >= window.said"
#: Colours do not hang on the width, nor what fits on the colours.
in_two_forms = pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 800)])
PATIENCE_MS = 30_000  # for what takes a moment
WORK_MS = 200_000  # for what the computer has to work for; less than pytest waits, which would not say for what

expect.set_options(timeout=PATIENCE_MS)


class Server:
    """The dashboard in a process of its own, on a home folder and a free port; or another script in its place."""

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
        """End it and its whole process group, as a closed terminal would at its worst; runs are to go on."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=20)

    def close(self) -> None:
        """End it, and every process that works on its home."""
        self.kill()
        while left := workers(self.home):
            for process in left:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(left, timeout=20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def workers(home: Path) -> list[psutil.Process]:
    """Processes of this test whose home folder is `home`."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get("CFU_HOME") == str(home):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def runs_in(home: Path) -> list[Run]:
    """Runs in a home folder, oldest first."""
    return [Run(path.parent) for path in sorted((home / "runs").glob("[!.]*/spec.json"))]


class Screen:
    """One browser window. Selectors live here, so that a page's change of form is mended in one place."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        page.add_init_script(NOTE_TALK)

    def open(self, page: str = "", **query: str) -> None:
        """Visit an address: ``open("explore", dataset="cells-0f1de16f")``."""
        self.page.goto(f"{self.url}/{page}" + (f"?{urlencode(query)}" if query else ""))
        self.settle()

    def reload(self) -> None:
        self.page.reload()
        self.settle()

    def settle(self) -> None:
        """Wait until the script has run to its end, and shows what was asked for."""
        self.page.wait_for_function(ANSWERED, arg=SETTLED)

    def go(self, title: str) -> None:
        """Open a page by the menu."""
        self.page.get_by_test_id("stSidebarNav").get_by_role("link", name=title).click()
        self.expect_page(title)

    def expect_page(self, title: str) -> None:
        """The page with this entry in the menu is shown, whole and without an exception."""
        heading = "CFU Workbench" if title == "Overview" else title
        expect(self.page.get_by_role("heading", name=heading, exact=True, level=1)).to_be_visible()
        self.settle()
        expect(self.page.get_by_test_id("stSidebarNavLink")).to_have_count(len(MENU))
        self.expect_no_exception()

    def expect_no_exception(self) -> None:
        expect(self.page.get_by_test_id("stException")).to_have_count(0)

    def widget(self, key: str) -> Locator:
        """A widget by its key, or by the beginning of its key: ``stop-*``."""
        if key.endswith("*"):
            return self.page.locator(f"[class*=' st-key-{key[:-1]}']")
        return self.page.locator(f".st-key-{key}")

    def choose(self, key: str, option: str) -> None:
        """Choose one of a segmented control's options."""
        button = self.widget(key).get_by_role("radio", name=option, exact=True)
        button.click()
        expect(button).to_have_attribute("aria-checked", "true")
        self.settle()

    def select(self, key: str, option: str | int) -> None:
        """Choose in a select box the option with this text, or at this place counted from 0."""
        box = self.selected(key)
        box.evaluate("""async box => {
            box.scrollIntoView({block: "center"})
            await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))
        }""")  # a list that opens while the page still scrolls is shut by the scrolling
        box.click()
        options = self.page.get_by_role("option")
        (options.nth(option) if isinstance(option, int) else options.filter(has_text=option)).click()
        self.settle()

    def selected(self, key: str) -> Locator:
        """The input that carries a select box's choice."""
        return self.widget(key).get_by_role("combobox")

    def press(self, key: str, stroke: str) -> None:
        """Press a key of the keyboard on a slider's thumb."""
        self.widget(key).get_by_role("slider").press(stroke)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name)

    def panel(self, name: str) -> None:
        """Open one of the page's panels."""
        button = self.page.get_by_role("radiogroup", name="Panel").get_by_role("radio", name=name, exact=True)
        button.click()
        expect(button).to_have_attribute("aria-checked", "true")
        self.settle()

    def text(self, text: str | re.Pattern[str]) -> Locator:
        """Where a text stands on the page itself, outside the sidebar."""
        return self.page.get_by_test_id("stMain").get_by_text(text)

    def alerts(self) -> Locator:
        return self.page.get_by_test_id("stAlert")

    def progress(self) -> Locator:
        return self.page.get_by_test_id("stProgress")

    def picture(self, caption: str) -> Locator:
        """The image with this caption."""
        return self.page.get_by_test_id("stImage").filter(has_text=caption).locator("img")

    def tiles(self) -> Locator:
        """The tiles of the grids on the page."""
        return self.page.get_by_role("listbox").get_by_role("option")

    def expect_fits(self) -> None:
        """Nothing sticks out to the right."""
        main = self.page.get_by_test_id("stMain")
        assert main.evaluate("e => e.scrollWidth <= e.clientWidth")

    def expect_accessible(self) -> None:
        """Nothing sticks out, and axe finds nothing wrong."""
        self.expect_fits()
        self.page.mouse.move(0, 0)  # Streamlit's tooltips lie outside its landmarks while they are shown
        expect(self.page.get_by_role("tooltip")).to_have_count(0)
        with self._whole():
            found = Axe().run(self.page)
        wrong = [
            f"{each['id']}: {each['help']} {[node['target'] for node in each['nodes']]}"
            for each in found.response["violations"]
        ]
        assert not wrong, "\n".join(wrong)

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """The window as high as the page: of what is scrolled away axe cannot tell the colours."""
        before = self.page.viewport_size
        assert before is not None
        height = self.page.get_by_test_id("stMain").evaluate("e => e.scrollHeight")
        self.page.set_viewport_size({**before, "height": max(height, before["height"])})
        self.settle()
        yield
        self.page.set_viewport_size(before)

    def slider(self, name: str) -> Locator:
        """A slider of the live view."""
        return self.page.locator(".live").get_by_role("slider", name=name, exact=True)

    def enhanced(self) -> str:
        """The digest of the live view's picture after the step of contrast, once one is drawn."""
        picture = self.page.locator(".live canvas[data-digest]").nth(1)
        return picture.get_attribute("data-digest") or ""

    def expect_enhanced_other_than(self, *before: str) -> str:
        """Wait for a new picture of the live view; its digest."""
        for _ in range(100):
            now = self.enhanced()
            if now not in before:
                return now
            self.page.wait_for_timeout(100)
        raise AssertionError("the picture did not change within ten seconds")

    def table(self, has_column: str) -> list[dict[str, str]]:
        """The rows of the data frame with this column, as its accessible twin tells them."""
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
        """The confusion matrix shows these numbers, each in its place."""
        labels = self.widget("confusion").locator("g.heatmap-label text")
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
        """Every figure on the page has been drawn."""
        expect(self.page.get_by_test_id("stPlotlyChart").filter(has_not=self.page.locator(".main-svg"))).to_have_count(
            0
        )

    def unfold_advanced(self) -> Locator:
        """Unfold the advanced settings on the Train page; gives the field for the epochs."""
        epochs = self.widget("train_epochs").get_by_role("spinbutton")
        if not epochs.is_visible():
            self.page.get_by_test_id("stExpander").filter(has=self.widget("train_epochs")).locator("summary").click()
        expect(epochs).to_be_visible()
        return epochs

    def start_training(self, network: str, epochs: int) -> None:
        """Settings on the Train page, then the button."""
        self.choose("network", network)
        self.choose("train_weights", "Random")
        field = self.unfold_advanced()
        field.fill(str(epochs))
        field.press("Enter")
        self.settle()
        self.button("Start training").click()

    def query(self) -> dict[str, str]:
        """What stands in the address after the question mark."""
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
