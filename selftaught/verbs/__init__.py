"""One file a verb of the command line: a function whose parameters are the verb's options."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

Place = Annotated[Path | str, Parameter(metavar="PATH")]
