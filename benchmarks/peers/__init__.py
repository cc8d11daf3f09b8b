"""One module per peer; each is imported in the peer's own process only."""
