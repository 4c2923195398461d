"""Train a network: prepared images, batches, the training loop and probes."""
