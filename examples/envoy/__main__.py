"""`python -m examples.envoy` runs the whole example and ends with exit code 0 when everything held."""

from examples.envoy.command import main

main()
