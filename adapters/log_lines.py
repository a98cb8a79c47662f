"""Lines of the log: what happened, where in the code, and never what a failure quoted (T15).

The words of an exception can hold what a person typed or a model answered: a validator quotes its input, a mail server
the address. The log goes to more people than the histories, where the same words are encrypted.
"""

from __future__ import annotations

import copy
import logging
import traceback
from types import TracebackType

from adapters.payload_codec import CodecKeyInvalid, Undecodable

#: These say which file, key or port is wrong and quote nothing else.
_SPOKEN = (CodecKeyInvalid, Undecodable, OSError)

_Raised = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class WithoutQuotes(logging.Formatter):
    """Formats an exception as its frames and types; its words only where they cannot be a person's."""

    def format(self, record: logging.LogRecord) -> str:
        """The line. What another handler wrote into the record about the exception is not taken over."""
        own = copy.copy(record)
        own.exc_text = None
        return super().format(own)

    def formatException(self, ei: _Raised) -> str:  # noqa: N802  # the name is logging's
        told: list[BaseException] = []
        raised = ei[1]
        while raised is not None and raised not in told:
            told.insert(0, raised)
            raised = raised.__cause__ or raised.__context__
        return "\nwhich led to\n".join("".join(traceback.format_tb(one.__traceback__)) + _name(one) for one in told)


def begin() -> None:
    """Log to standard error from now on, at INFO."""
    handler = logging.StreamHandler()
    handler.setFormatter(WithoutQuotes("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)  # one line per call of a target says nothing


def _name(raised: BaseException) -> str:
    name = f"{type(raised).__module__}.{type(raised).__qualname__}"
    return f"{name}: {raised}" if isinstance(raised, _SPOKEN) else name
