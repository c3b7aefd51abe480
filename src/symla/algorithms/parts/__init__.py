"""What several learning algorithms are made of."""
