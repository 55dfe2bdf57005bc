"""What is decided: the plan, its records, comparisons, sensitivity, sentences."""
