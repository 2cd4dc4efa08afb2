"""The run folder and what stands in it: checkpoints, reports, the model card, curves."""
