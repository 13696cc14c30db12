"""A server that speaks PostgreSQL's protocol, for tools that cannot load Python."""
