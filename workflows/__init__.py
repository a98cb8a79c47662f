"""The story: order, waiting and messages of a rollback. Arithmetic and I/O live elsewhere."""
