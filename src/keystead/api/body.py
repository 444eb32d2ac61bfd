"""Bodies are taken at their word: `"60"` is no number, and 1 is not `true`."""

import re
from typing import Any

import msgspec
from litestar import Request
from litestar.exceptions import ValidationException

_AT = re.compile(r"(.*) - at `\$\.?(.+)`")


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON has exactly the types that its handler's `data` says."""

    async def json(self) -> Any:  # noqa: ANN401 - the framework's signature
        """The body, made into what the handler takes; the framework by itself would read `"60"` as 60.

        Raises ValidationException, naming the field.
        """
        decoded = await super().json()
        data = self.route_handler.parsed_data_field
        return decoded if data is None else strictly(decoded, data.annotation)


def strictly(decoded: object, wanted: Any) -> Any:  # noqa: ANN401 - any type that msgspec knows
    """What was decoded from JSON, made into what is wanted. Raises ValidationException, naming the field."""
    try:
        return msgspec.convert(decoded, wanted)
    except msgspec.ValidationError as error:
        at = _AT.fullmatch(str(error))
        message, field = (at[1], at[2]) if at else (str(error), "data")
        raise ValidationException(extra=[{"key": field, "message": message}]) from None
