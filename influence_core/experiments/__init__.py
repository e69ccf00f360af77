"""One module a question, each with its own frozen result type."""
