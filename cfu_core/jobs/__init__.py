"""Queue jobs, and run each in a process of its own."""
