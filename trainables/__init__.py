"""The training core: data, networks, methods, one loop and its measurements; it knows nothing of the study."""
