"""Measure every image of a dataset, find copies, and map similar images."""
