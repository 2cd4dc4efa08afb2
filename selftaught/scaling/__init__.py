"""What a pretraining of any size costs, computed before there is a machine for it."""
