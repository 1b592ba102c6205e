"""The host's side of the link: frames, a session that repeats what got lost, and the driver."""
