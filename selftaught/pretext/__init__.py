"""Pure corruption functions on tensors: what a pretext task hides, and how."""
