"""`python -m examples.learning` runs the whole example and ends with exit code 0 when everything held."""

from examples.learning.command import main

if __name__ == "__main__":  # backtests start processes of their own, which import this
    main()
