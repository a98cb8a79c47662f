"""`python -m examples.llm` runs the whole example and ends with exit code 0 when everything held."""

from examples.llm.command import main

main()
