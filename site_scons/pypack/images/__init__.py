"""Tar images: normalised trees that travel from step to step as one file each."""
