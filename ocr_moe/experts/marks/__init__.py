"""QR codes, bar codes and the like: what cannot be misread."""
