"""Evidence packs: what a stranger is handed, and how it is verified without our code."""
