"""Export a trained network as a bundle."""
