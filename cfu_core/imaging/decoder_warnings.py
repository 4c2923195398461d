"""Warnings of decoders: damage in a file that was decoded nevertheless.

The libraries write such warnings to the terminal, without the name of the file. Here they are collected, so that a
caller can store them with the image. Where nobody collects them, they are dropped.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_collected: ContextVar[list[str] | None] = ContextVar("collected warnings", default=None)


@contextmanager
def collect_warnings() -> Iterator[list[str]]:
    """Collect the warnings of decoders in this thread.

    Yields
    ------
    list of str
        Clauses such as ``Corrupt JPEG data: premature end of data segment``, none twice, in the order in which they
        arise.
    """
    texts: list[str] = []
    token = _collected.set(texts)
    try:
        yield texts
    finally:
        _collected.reset(token)


def collecting() -> bool:
    """Return whether warnings are collected in this thread; a search for damage that costs time is then worthwhile."""
    return _collected.get() is not None


def add_warning(text: str) -> None:
    """Add a warning to those that are collected in this thread, if any are.

    Parameters
    ----------
    text : str
        A clause without a full stop.
    """
    texts = _collected.get()
    if texts is not None and text not in texts:
        texts.append(text)


class _Collector(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        add_warning(record.getMessage().strip().rstrip("."))


def collect_logs(name: str) -> None:
    """Collect the warnings that a library logs, instead of printing them.

    Parameters
    ----------
    name : str
        Name of the logger of the library.
    """
    logger = logging.getLogger(name)
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    if not any(isinstance(handler, _Collector) for handler in logger.handlers):
        logger.addHandler(_Collector())
