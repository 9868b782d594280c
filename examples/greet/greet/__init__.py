"""Greets people, in style."""
