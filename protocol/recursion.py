"""Keeps the interpreter's guard against deep recursion where the C stack can honour it.

Importing ``py_ecc`` (a part of eth-account) lifts the recursion limit of the whole process to 100,000, which
is further than a thread's stack reaches. Nested JSON from a stranger would then end the process with a
segmentation fault instead of a RecursionError. So the module is imported here, once, and the limit brought
back.
"""

import sys
from typing import Final

import py_ecc  # noqa: F401 - for its side effect, which is undone

RECURSION_LIMIT: Final = 3_000
"""Three times the interpreter's own default; a parser's frames of this depth fill a tenth of a stack."""

if sys.getrecursionlimit() > RECURSION_LIMIT:
    sys.setrecursionlimit(RECURSION_LIMIT)
