"""Where CPython comes from: one module for each provider, all behind ``base``; ``cpython`` builds it from source."""
