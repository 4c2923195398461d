"""Reading and processing of images: functions from arrays to arrays."""
