"""Runs migrations on the connection that `adapters.migrate` opened, in that connection's one transaction."""

from alembic import context

from adapters.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    # SQLite can take DDL back too, once the driver lets us begin transactions ourselves.
    transactional_ddl=True,
)
context.run_migrations()
