"""Fine-tuning on labelled texts: the run, the learner, when to stop, the task that is kept, and its answers."""
