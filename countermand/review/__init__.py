"""The review after an incident: what people write, what has to be done, and until when."""
