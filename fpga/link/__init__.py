"""The host link: a UART, checked frames, and the commands that drive an accelerator. docs/host-interface.md."""
