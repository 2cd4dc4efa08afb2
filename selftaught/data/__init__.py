"""From files to rows: formats, encodings and columns are found out, and what cannot be read is named."""
