"""From recordings and labels to the evidence of a pilot."""
