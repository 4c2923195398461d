"""Exported networks: the files of a bundle, classification with it, and its verification.

Every bundle contains a copy of this package and of the modules that it imports (`cfu_core.exporting.bundled_code`). So
it imports only `cfu_core.errors`, `cfu_core.settings`, `cfu_core.wording` and `cfu_core.imaging`, NumPy and ONNX
Runtime.
"""
