"""Branch and bound: the certificate that no feasible design is better."""
