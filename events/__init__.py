"""What happened: wire formats in, the store, the query model."""
