"""Models of pictures: from a folder nobody has labelled to an encoder in use."""
