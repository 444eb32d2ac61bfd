"""Time and chance, which are arguments everywhere."""

from collections.abc import Callable

Clock = Callable[[], int]
"""Now, in whole milliseconds since 1970."""

Entropy = Callable[[int], bytes]
"""So many bytes from the operating system's source of chance."""
