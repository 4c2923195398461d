"""Datasets: import, edit, split, measure and audit labelled images."""
