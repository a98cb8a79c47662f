"""The command line: a client of the console's JSON API, and the local processes of `up` and `demo`.

Every command imports what it needs when it runs, so that `countermand --help` answers at once.
"""

from __future__ import annotations

import sys
import traceback
from io import TextIOWrapper
from typing import NoReturn

from countermand.cli.exits import Exit, Failure, finish


def main() -> NoReturn:
    """Run the command in `sys.argv` and end the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without ✓ shows ? instead of failing
    finish(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; errors are printed on stderr."""
    from countermand.cli.app import app

    stdout = sys.stdout
    try:
        app(arguments, prog_name="countermand")
    except Failure as failure:
        print(failure, file=sys.stderr)
        return failure.code
    except SystemExit as ended:
        if sys.stdout is not stdout:  # typer puts it out of use when the reader (`head`, `grep -q`) has gone
            return Exit.done
        return ended.code if isinstance(ended.code, int) else Exit.unexpected
    except Exception:
        traceback.print_exc()
        print("✗ This is a bug in countermand; the lines above say where.", file=sys.stderr)
        return Exit.unexpected
    return Exit.done
