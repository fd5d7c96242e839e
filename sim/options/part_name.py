"""Names of services and of classes of callers: users choose them, and they stand in the paths of metrics."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError("a name has up to 64 letters, digits, '_' and '-', and starts with a letter or a digit")
    return name


PartName = Annotated[str, AfterValidator(_checked), Field(json_schema_extra={"pattern": f"^{NAME.pattern}$"})]
"""The name of a service or of a class."""
