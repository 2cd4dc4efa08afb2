"""One file a task: an objective whose hidden thing is a label."""
