"""Distillation as runs, on text and on pictures, and what the smaller model keeps of the larger one."""
