"""Ways to use morec_sql other than SQL in Python: the command line, and what it shows."""
