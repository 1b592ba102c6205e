"""Every way a user can be wrong, with the message and the exit code that answers it."""
