"""Comparing two versions: what each part is, what differs to the eye, and what was measured of both."""
