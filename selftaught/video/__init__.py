"""Clips: pretraining, fine-tuning and judging a network over pictures on what moves."""
