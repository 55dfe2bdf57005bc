"""What a purchase brings: explainable R^2 for every posterior draw."""
