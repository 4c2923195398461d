"""A trained network outside of this program: what lies in its folder, how it is used, and how it is checked.

A copy of this package, and of the modules that it imports, travels in every bundle
(`cfu_core.exporting.bundled_code`). So it imports nothing but `cfu_core.errors`, `cfu_core.settings` and
`cfu_core.imaging`, NumPy and ONNX Runtime.
"""
