"""Private pretraining: what is promised to each sample, what is refused for that, and the steps that keep to it."""
