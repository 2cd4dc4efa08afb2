"""Asking a language model without training it: how likely it finds a text, prompts, few-shot accuracy."""
