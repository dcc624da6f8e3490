"""One gateway a file: how the process of a proxy is guarded by a line in its configuration."""
