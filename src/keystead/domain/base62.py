"""Base62 with digits `0-9A-Za-z`, most significant first: what ids, tokens and checksums are written in."""

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def base62(number: int, width: int) -> str:
    """The last `width` base62 digits of `number` (>= 0), padded with `0` on the left."""
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(DIGITS[digit])
    return "".join(reversed(digits))
