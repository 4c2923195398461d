"""Training runs: plan, carry out, store and compare them."""
