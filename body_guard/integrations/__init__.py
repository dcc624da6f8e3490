"""One library a file: where a body is made in it, and how to stand there."""
