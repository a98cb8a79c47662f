"""When is a release worse, and how sure are we. Pure; standard library only on the verdict path."""
