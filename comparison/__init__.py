"""Comparisons: many runs and one answer."""
