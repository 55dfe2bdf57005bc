"""Recordings as MNE, BIDS and NIfTI hold them."""
