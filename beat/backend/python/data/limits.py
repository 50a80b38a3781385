"""How large messages may be: the bounds of all sockets, in one place.

Without them, a peer that announces a huge frame has memory reserved for it.
"""

from __future__ import annotations

import os

#: The environment variable that sets the largest data unit to be sent or received, in bytes
VARIABLE = "BEAT_MAX_UNIT_BYTES"

#: The largest frame of a request that has no data of users in it; statistics are the longest
MAX_REQUEST_BYTES = 1 << 26

#: How many frames a request may have; none has more than three
MAX_REQUEST_FRAMES = 16

#: How many frames an answer may have, unless it lists units: two frames each, and their number
MAX_ANSWER_FRAMES = 16
MAX_INFO_FRAMES = 1 + 2 * (1 << 26)

#: How many requests, or answers to them, libzmq may keep until they are read
MAX_WAITING_REQUESTS = 1_000

#: The same for a client, which must have room for all that it has asked for: libzmq may end a
#: process that has none, and whose connection breaks while it sends heartbeats
MAX_WAITING_ANSWERS = 100_000


def max_unit_bytes() -> int:
    """Return how large a data unit, or a hypothesis of a loop, may be: it is sent in one frame.

    By default as large as the memory of the machine, since what is larger cannot be of use.

    Raises
    ------
    ValueError
        If the environment variable `VARIABLE` is no positive number.
    """
    text = os.environ.get(VARIABLE)
    if text is None:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if not (text.isdecimal() and text.isascii() and int(text) > 0):
        raise ValueError(f"{VARIABLE}: expected a number of bytes, got {text!r:.100}")
    return int(text)
