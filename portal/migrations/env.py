"""What Alembic runs for each command; the connection and its transaction are the caller's."""

from alembic import context

from portal.models import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by making it anew
)
context.run_migrations()
