"""Configuration as code: the YAML that `apply` reads and `export` prints. Described in docs/configuration.md."""
