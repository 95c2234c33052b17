"""What is known of codes, pure: grammars, check characters, constrained decoding over posteriors."""
