"""Benchmarks of bundles, beside plain Python and other tools: ``python -m tests.bench``, by ``nox -s bench``."""
