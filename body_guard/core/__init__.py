"""The sans-IO core: values and bytes in, values and bytes out; no HTTP library, clock or log."""
