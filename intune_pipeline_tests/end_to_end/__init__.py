"""Whole stories over every room at once."""
