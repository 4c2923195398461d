"""Find what may be wrong with a dataset, and filter its images."""
