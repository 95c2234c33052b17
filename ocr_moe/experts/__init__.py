"""A page and some fields in, readings out. No room of experts knows another."""
