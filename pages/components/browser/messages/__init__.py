"""The files of a custom component, and a binary message that holds texts and pictures.

Streamlit sends either JSON or raw bytes to a component. Pictures in JSON would have to be base64 text, which is a third
longer and is decoded twice. So a message is packed here and unpacked by ``messages.js``::

    4 bytes   length of the header, little-endian
    header    JSON; its "lengths" are the sizes of the pictures in bytes
    pictures  one after the other

Equal contents give equal bytes, and an unchanged message is not sent again: Streamlit sends its hash.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def pack(header: Mapping[str, Any], pictures: Sequence[bytes]) -> bytes:
    """Return a header and pictures as one message."""
    text = json.dumps({**header, "lengths": [len(picture) for picture in pictures]}, ensure_ascii=False).encode()
    return b"".join((len(text).to_bytes(4, "little"), text, *pictures))


def read_part(folder: Path, name: str) -> str:
    """Return the text of a component's file. Components given as text cannot import, so texts are concatenated."""
    return (folder / name).read_text(encoding="utf-8")


MESSAGES_JS = read_part(Path(__file__).parent, "messages.js")
