"""An Atrium under load whose processes are killed, and the books that must balance afterwards."""
