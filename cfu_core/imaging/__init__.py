"""Read and process images: functions from arrays to arrays."""
