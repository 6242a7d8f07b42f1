"""What links count: read once, at intervals, as a table."""
