"""Queue jobs, and run each of them in a separate process."""
