"""What a body is written in: content types, text encodings, forms, multipart, compression."""
