"""Output of subcommands to the terminal, and exit statuses."""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cfu_core.observer import Observer
from cfu_core.storage import json_value

if TYPE_CHECKING:
    from cfu_core.job import Status

OK, USER_ERROR, INTERRUPTED, OUTPUT_CLOSED = 0, 2, 130, 141  # exit status; 141 is that of a program ended by SIGPIPE

#: Characters that control a terminal, end a line, change the direction of the text after them, or are not encodable.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--json`` to the parser of a subcommand; ``arguments.json`` is False without it."""
    parser.add_argument("--json", action="store_true", help="print one JSON document to stdout")


def printable(text: str) -> str:
    r"""Return a text in which control characters are replaced by escapes such as ``\x1b``.

    File names, class names and reasons come from users and from downloaded files. Printed as they are, an escape
    sequence in them could erase or imitate other output, and a line break could imitate a line of its own.

    Parameters
    ----------
    text : str
        One line.

    Returns
    -------
    str
        One line without control characters (line break and tab included), line and paragraph separators, characters
        that change the direction of the text, and the surrogates of file names that are not UTF-8.
    """
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


class OutputClosedError(Exception):
    """The program that reads stdout or stderr has ended; other closed pipes remain a BrokenPipeError."""


@contextmanager
def output() -> Iterator[None]:
    """Within a ``with`` block that only prints, convert a BrokenPipeError to an `OutputClosedError`."""
    try:
        yield
    except BrokenPipeError as error:
        raise OutputClosedError from error


def print_line(text: str) -> None:
    """Print a text as one line to stdout, made `printable`."""
    with output():
        print(printable(text))


def print_error(text: str) -> None:
    """Print a text as one line to stderr, made `printable`; line breaks become spaces."""
    with output():
        print(printable(" ".join(text.splitlines())), file=sys.stderr)


def print_table(text: str) -> None:
    """Print the lines of a table to stdout, each made `printable`.

    Parameters
    ----------
    text : str
        From `pandas.DataFrame.to_string`, which escapes line breaks in cells.
    """
    for line in text.split("\n"):
        print_line(line)


def print_json(value: Any) -> int:
    """Print a value as one indented JSON document to stdout; NaN and infinity as null.

    Control characters are escaped as JSON does, so that the document is safe in a terminal and has the same value.

    Parameters
    ----------
    value : object
        As for `cfu_core.storage.json_value`: JSON values, also NaN, infinity and tuples.

    Returns
    -------
    int
        Exit status 0, so that a subcommand can return the result of this function.
    """
    document = json.dumps(json_value(value), indent=2, ensure_ascii=False, allow_nan=False)
    lines = document.split("\n")  # strings contain none: json escapes the characters below the space
    with output():
        print("\n".join(_CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", line) for line in lines))
    return OK


class ProgressLine:
    """A progress line on stderr that each new text overwrites. Use as a context manager.

    Texts can be shown only within the ``with`` block, after which the line is empty. Nothing is written if stderr is
    not a terminal.
    """

    def __enter__(self) -> "ProgressLine":
        self._enabled = sys.stderr.isatty()
        return self

    def __exit__(self, *exception: object) -> None:
        self._write("")

    def count(self, phase: str) -> Callable[[int, int], None]:
        """Return a callback ``(done, total)`` that shows the number of finished items and of all items.

        Parameters
        ----------
        phase : str
            Text before the numbers.
        """

        def progress(done: int, total: int) -> None:
            self._write(f"{phase}: {done} of {total}")

        return progress

    def follow(self, title: str) -> Callable[["Status"], None]:
        """Return a callback ``(status)`` that shows a `Status`: its phase, and the batch or the number of items.

        Parameters
        ----------
        title : str
            Text before the phase.
        """

        def show_status(status: "Status") -> None:
            d = status.details
            text = f"{title}: {status.phase or status.state}"
            if "epoch" in d:
                text += f", epoch {d['epoch']} of {d['epochs']}, batch {d['batch']} of {d['batches']}"
            elif "total" in d:
                text += f", {d['done']} of {d['total']}"
            self._write(text)

        return show_status

    def show(self, text: str) -> None:
        """Show a text in place of the previous one."""
        self._write(text)

    def _write(self, text: str) -> None:
        if self._enabled:
            with output():
                print(f"\r\x1b[2K{printable(text)}", end="", file=sys.stderr, flush=True)


class LineObserver(Observer):
    """Shows the progress of a computation in a line of the terminal; Ctrl-C stops the computation.

    Parameters
    ----------
    line : ProgressLine
        Line to show it in, within its ``with`` block.
    """

    def __init__(self, line: ProgressLine) -> None:
        self._line = line

    def report(self, phase: str, **details: Any) -> None:
        """Show the phase, and the numbers of finished items and of all items if they are known."""
        counts = f": {details['done']} of {details['total']}" if "total" in details else ""
        self._line.show(f"{phase}{counts}")

    def stop_requested(self) -> bool:
        """Return False: Ctrl-C raises KeyboardInterrupt."""
        return False
