"""Evidence: knows nodes and how to evaluate them, and nothing of derivatives."""
