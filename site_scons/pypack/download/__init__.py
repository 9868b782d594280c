"""From a pin to a verified file: pins, HTTP, addresses that must be looked up."""
