"""Word vectors: skip-gram and CBOW (Mikolov et al. 2013), a shallow model with a kernel of its own.

It has the run folder, the recipe and the verbs of every other model here, and no transformer.
"""
