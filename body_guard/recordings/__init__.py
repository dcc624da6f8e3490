"""Reading recorded traffic: the request bodies in files of JSON lines, HAR, and VCR cassettes."""
