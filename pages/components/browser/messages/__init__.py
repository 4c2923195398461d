"""What a component of our own is made of: its files, and one message with texts and pictures.

Streamlit sends either JSON or raw bytes to a component. Pictures inside JSON would have to be base64 text, a third
longer and decoded twice. So a message is packed here, and taken apart by ``messages.js``::

    4 bytes   length of the header, little-endian
    header    JSON; its "lengths" tell the sizes of the pictures
    pictures  one after the other

The same contents give the same bytes, and an unchanged message is not sent again: Streamlit sends its hash.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

MESSAGES_JS = (Path(__file__).parent / "messages.js").read_text(encoding="utf-8")


def pack(header: Mapping[str, Any], pictures: Sequence[bytes]) -> bytes:
    """A header and pictures as one run of bytes."""
    text = json.dumps({**header, "lengths": [len(picture) for picture in pictures]}, ensure_ascii=False).encode()
    return b"".join((len(text).to_bytes(4, "little"), text, *pictures))


def read_part(folder: Path, name: str) -> str:
    """The text of one of a component's files. Components given as text cannot import, so texts are joined."""
    return (folder / name).read_text(encoding="utf-8")
