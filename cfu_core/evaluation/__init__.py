"""Evaluate predictions: metrics, intervals, comparisons and the tables of the paper."""
