"""Run the register's migrations on the connection, and in the transaction, of `Register.open`."""

from alembic import context

from submissions.register.log import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"], version_table=VERSION_TABLE, transactional_ddl=True
)
with context.begin_transaction():
    context.run_migrations()
