"""Draw the demo dataset."""
