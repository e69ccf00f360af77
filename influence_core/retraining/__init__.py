"""Training again: after an edit of the training examples, to a gradient norm that proves it."""
