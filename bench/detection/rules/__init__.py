"""The rules under comparison: ours, vectorised, and others by our own code; one file per family."""
