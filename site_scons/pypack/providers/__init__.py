"""Where a runtime comes from: one module per provider, all behind the interface in ``base``."""
