"""Where counters live: in this process, or in Redis for all of them."""
