"""The situations whose histories are recorded. Each is a short true story; its name says how it goes."""
