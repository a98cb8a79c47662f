"""How long things are kept, what holds them, and what proves that they were destroyed."""
