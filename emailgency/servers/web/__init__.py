"""HTTP: metrics and health on the local port."""
