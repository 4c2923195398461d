"""Reports, plots and table files of runs."""
