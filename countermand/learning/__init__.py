"""What the past says about a change of thresholds: episodes, backtests and what is proposed (learning.md §2)."""
