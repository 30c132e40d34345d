"""The gateways that are compared, each set up from nothing into folders of the benchmark's own."""
