"""Import images from a folder, a zip archive, an upload or a manifest."""
