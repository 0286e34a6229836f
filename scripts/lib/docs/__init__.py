"""What scripts/gen-docs is made of."""
