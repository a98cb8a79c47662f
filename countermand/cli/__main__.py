"""`python -m countermand.cli` is the command `countermand`."""

from countermand.cli import main

main()
