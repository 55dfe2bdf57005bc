"""Stimulus features as laboratories make them."""
