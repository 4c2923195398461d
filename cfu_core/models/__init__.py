"""Networks: their registry, weights, features and class activation maps."""
