"""Official clients against a running Atrium, in front of upstreams that nobody here wrote."""
