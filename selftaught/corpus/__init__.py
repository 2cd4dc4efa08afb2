"""Preparing a corpus: documents cleaned, freed of copies, and written as shards, whatever their number."""
