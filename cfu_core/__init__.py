"""Images of hematopoietic colony-forming units: datasets, preprocessing, training and evaluation."""

from pathlib import Path

__version__ = "0.1.0"
#: The folder from which ``python -m cfu_core`` finds this package.
PROJECT = Path(__file__).parents[1]
