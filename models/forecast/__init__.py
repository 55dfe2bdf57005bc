"""From posterior draws to the performance of a purchase."""
