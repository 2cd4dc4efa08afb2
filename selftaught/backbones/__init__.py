"""The networks that objectives train; only :mod:`selftaught.backbones.hf` knows transformers."""
