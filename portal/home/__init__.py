"""The front page, health, errors, and the command that runs everything."""
