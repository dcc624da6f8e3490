"""One library a file: where it makes a body, and how that is guarded."""
