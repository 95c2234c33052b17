"""From text to value: what each kind of field makes of what was read."""
