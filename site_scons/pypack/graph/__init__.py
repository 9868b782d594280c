"""From a plan to steps, a pure function; descriptions and reports of them."""
