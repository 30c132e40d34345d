"""The only part of the gateway that knows Django: compile, refresh, drain."""
