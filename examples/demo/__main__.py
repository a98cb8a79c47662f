"""`python -m examples.demo` starts the service."""

from examples.demo.service import main

main()
