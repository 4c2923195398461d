"""Images of hematopoietic colony-forming units: datasets, preprocessing, training and evaluation."""

__version__ = "0.1.0"
