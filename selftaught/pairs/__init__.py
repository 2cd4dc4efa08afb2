"""Pictures with words: pretraining, retrieval, zero-shot labels."""
